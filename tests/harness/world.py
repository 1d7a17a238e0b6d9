"""A VRF in memory, which answers the needs of decisions as storage would."""

import dataclasses
import datetime
import types
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from moorage_server.domain import (
    addresses,
    blocks,
    catalog,
    grants,
    model,
    needs,
    offers,
    placement,
    resources,
    returns,
    succession,
)
from moorage_server.domain.eligibility import Asker
from moorage_server.domain.setting import Conversation, Patience, Placed, Setting
from moorage_server.domain.shelf import Shelf

T = TypeVar("T")
PLAIN = resources.VrfConfiguration()
START = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)


def pool(name: str, cidr: str, **fields: object) -> resources.Pool:
    """A pool with the defaults of the API."""
    network = addresses.parse_network(cidr)
    default = resources.DEFAULT_BLOCK_SIZE[addresses.family_of(network)]
    size = max(default, network.prefixlen)
    made = resources.Pool(vrf="default", name=name, cidr=network, block_size=size)
    return dataclasses.replace(made, **fields)  # type: ignore[arg-type]  # checked by the dataclass


def compiled(
    pools: Iterable[resources.Pool],
    *,
    reserved: Iterable[str] = (),
    owned: Mapping[str, str] = types.MappingProxyType({}),
    configuration: resources.VrfConfiguration = PLAIN,
    fixed: Mapping[str, Iterable[str]] = types.MappingProxyType({}),
    strict: bool = False,
) -> catalog.Catalog:
    """The catalog of a VRF; a pool's number is its place."""
    texts = [*((text, "") for text in reserved), *owned.items()]
    hidden = tuple(
        offers.Reserved(span=addresses.Span.parse(text), owner_key=owner_key)
        for text, owner_key in texts
    )
    policy = grants.Policy(
        strict=strict,
        fixed=[fixed_grant(namespace, *cidrs) for namespace, cidrs in fixed.items()],
    )
    return catalog.Catalog(
        vrf_id=1,
        vrf="default",
        version=uuid.uuid4(),
        offers=tuple(
            offers.offer(at, each, hidden, policy) for at, each in enumerate(pools, start=1)
        ),
        configuration=configuration,
    )


def fixed_grant(namespace: str, *cidrs: str) -> resources.FixedAddressGrant:
    """What a namespace may ask for by name."""
    networks = tuple(addresses.parse_network_or_address(text) for text in cidrs)
    return resources.FixedAddressGrant(namespace=namespace, cidrs=networks)


class World:
    """Pools, reservations, nodes' labels, and what was written of the blocks."""

    def __init__(
        self,
        *pools: resources.Pool,
        reserved: tuple[str, ...] = (),
        owned: Mapping[str, str] | None = None,
        nodes: Mapping[str, Mapping[str, str]] | None = None,
        configuration: resources.VrfConfiguration = PLAIN,
        fixed: Mapping[str, Iterable[str]] = types.MappingProxyType({}),
        strict: bool = False,
    ) -> None:
        self.catalog = compiled(
            pools,
            reserved=reserved,
            owned=owned or {},
            configuration=configuration,
            fixed=fixed,
            strict=strict,
        )
        self.now = START
        self.tick = 0
        self.nodes = dict(nodes or {})
        self.blocks: dict[addresses.Network, blocks.Block] = {}
        self.held: dict[addresses.Address, model.Allocation] = {}
        self.yielded: list[str] = []
        self.locked: set[addresses.Network] = set()
        self.frontiers = {
            each.pool_id: blocks.Frontier(
                pool_id=each.pool_id, unused=((0, each.pool.block_count),)
            )
            for each in self.catalog.offers
        }

    def assign(
        self,
        *wants: model.AddressRequest,
        node: str = "",
        node_labels: Mapping[str, str] | None = None,
        namespace_labels: Mapping[str, str] | None = None,
        use: model.Use = model.Use.WORKLOAD,
        owner: str = "",
        pod: str = "",
        patience: Patience | None = None,
        sticky: int = 0,
        interface: str = "eth0",
        namespace: str = "",
        bounds: model.Bounds = model.UNBOUND,
    ) -> list[str]:
        """Places and writes a request; returns the addresses."""
        workload = model.Workload(
            node=node, namespace=namespace, pod=pod, namespace_labels=namespace_labels or {}
        )
        labels = self.nodes.get(node, {}) if node_labels is None else node_labels
        facts = model.Facts(workload=workload, use=use, owner_key=owner, sticky=sticky)
        key = model.AttachmentKey(vrf="default", network="n", container_id="c", interface=interface)
        request = model.AssignRequest(attachment=key, addresses=wants, facts=facts, bounds=bounds)
        asker = Asker.of(request, labels)
        on = self.shelf()
        setting = Setting(pools=self.catalog, asker=asker, shelf=on, patience=patience)
        placed = self.converse(placement.place(wants, setting), on)
        self.write(on)
        for each in placed:
            self.held[each.address] = _allocation(request, each)
        self.yielded += [str(each.address) for each in placed if each.yielded]
        return [str(each.address) for each in placed]

    def release(self, address: str) -> None:
        """Returns an address to its block."""
        allocation = self.held.pop(addresses.parse_address(address))
        on = self.shelf()
        self.converse(returns.put_back(allocation, self.catalog, on), on)
        self.write(on)

    def succeed(self, request: model.AssignRequest, siblings: succession.Siblings) -> list[str]:
        """Places and writes what a new sandbox of a pod is to hold; returns the addresses."""
        on = self.shelf()
        asker = Asker.of(request, self.nodes.get(request.facts.workload.node, {}))
        setting = Setting(pools=self.catalog, asker=asker, shelf=on)
        placed = self.converse(succession.place(request, siblings, setting), on)
        self.write(on)
        return [str(each.address) for each in placed]

    def is_taken(self, address: str) -> bool:
        """Whether the block of an address has it as held."""
        found = addresses.parse_address(address)
        block = next((each for each in self.blocks.values() if found in each.cidr), None)
        if block is None:
            return False
        return block.holds(block.ordinal(found))

    def sweep(self, node: str) -> None:
        """Closes the empty blocks that a node owns in pools which do not select it."""
        on = self.shelf()
        unselecting = self.catalog.unselecting(self.nodes.get(node, {}))
        self.converse(returns.sweep(node, unselecting, on), on)
        self.write(on)

    def shelf(self) -> Shelf:
        """What a transaction begins with."""
        return Shelf(self.now, self.tick, self.catalog.hidden_blocks)

    def write(self, on: Shelf) -> None:
        """Commits what was decided."""
        self.blocks |= {block.cidr: block for block in (*on.opened(), *on.changed())}
        for cidr in on.closed():
            del self.blocks[cidr]
        self.frontiers |= {frontier.pool_id: frontier for frontier in on.advanced()}

    def converse(self, conversation: Conversation[T], on: Shelf) -> T:
        """Answers what a decision needs to see until it is made."""
        try:
            need = next(conversation)
            while True:
                on.add(need, self._answer(need, on))
                need = conversation.send(None)
        except StopIteration as done:
            result: T = done.value
            return result

    def _answer(self, need: needs.Need, on: Shelf) -> needs.Answer:
        match need:
            case needs.BlockAt():
                found = [self.blocks[need.cidr]] if need.cidr in self.blocks else []
            case needs.CoolestBlock():
                found = self._coolest(need, on)
            case needs.KeptBlocks() | needs.StickyBlocks():
                found = [each for each in self._unseen(on) if need.suits(each)]
            case (
                needs.OwnBlocks()
                | needs.UnownedBlocks()
                | needs.AnyBlocks()
                | needs.EmptyBlocks()
                | needs.IdleBlocks()
            ):
                found = self._with_room(need, on)
            case _:
                return self._told(need, on)
        usable = tuple(each for each in found if each.cidr not in self.locked)
        return needs.Answer(found=usable, contended=bool(found) and not usable)

    def _with_room(self, need: needs.Search, on: Shelf) -> list[blocks.Block]:
        unseen = self._unseen(on)
        # Where nothing is free, what is ready by now comes into question: as storage looks.
        return [each for each in unseen if need.suits(each) and each.free] or [
            each
            for each in (stored.at(self.tick) for stored in unseen)
            if need.suits(each) and each.free
        ]

    def _told(self, need: needs.Need, on: Shelf) -> needs.Answer:
        """What is told of without a block."""
        match need:
            case needs.PoolFrontier():
                return needs.Answer(frontier=self.frontiers[need.pool_id])
            case needs.NodeLabels():
                return needs.Answer(labels=self.nodes.get(need.node, {}))
            case needs.OwnedCount():
                owned = needs.OwnBlocks(node=need.node, pool_ids=need.pool_ids)
                return needs.Answer(count=sum(map(owned.suits, self._unseen(on))))
            case needs.MoreRoom():
                return self._more_room(need, on)
            case needs.HoldersOf() | needs.HeldByOwner():
                return needs.Answer(held=tuple(self._holders(need)))
            case _:
                raise AssertionError(f"nobody answers {need}")

    def _holders(self, need: needs.HoldersOf | needs.HeldByOwner) -> Iterator[model.Allocation]:
        for address, each in self.held.items():
            if isinstance(need, needs.HoldersOf):
                suits = address in need.addresses
            else:
                suits = each.facts.owner_key == need.owner_key and each.attachment != need.beside
            if suits:
                yield each

    def _coolest(self, need: needs.CoolestBlock, on: Shelf) -> list[blocks.Block]:
        found = [
            (each.next_ready_tick, each.cidr, each)
            for each in self._unseen(on)
            if need.within.suits(each) and each.cooling
            if each.next_ready_tick is not None and each.next_ready_tick < need.before
        ]
        return [min(found, key=lambda each: each[:2])[2]] if found else []

    def _more_room(self, need: needs.MoreRoom, on: Shelf) -> needs.Answer:
        unseen = [
            each.at(self.tick)
            for each in self._unseen(on)
            if any(search.suits(each) for search in need.searches)
        ]
        ticks = [
            cooling.ready_tick
            for each in unseen
            for cooling in each.cooling
            if not _is_hidden(each, cooling.ordinal, need)
        ]
        sticky = [
            kept
            for each in unseen
            for kept in each.sticky
            if not _is_hidden(each, kept.ordinal, need)
        ]
        return needs.Answer(
            contended=any(each.free for each in unseen),
            count=len(ticks),
            ready_tick=min(ticks, default=None),
            sticky_count=len(sticky),
        )

    def _unseen(self, on: Shelf) -> list[blocks.Block]:
        return [each for each in self.blocks.values() if not on.knows(each.cidr)]


def _is_hidden(block: blocks.Block, ordinal: int, need: needs.MoreRoom) -> bool:
    return any(int(block.address(ordinal)) in each for each in need.hidden)


def _allocation(request: model.AssignRequest, placed: Placed) -> model.Allocation:
    return model.Allocation(
        attachment=request.attachment,
        address=placed.address,
        generation=1,
        block=placed.block,
        assign_time=START,
        facts=request.facts,
    )


def any_ipv4(*pools: str) -> model.AddressRequest:
    """One IPv4 address, from these pools where given."""
    return model.AddressRequest(family=addresses.Family.IPV4, pools=pools)


def any_ipv6(*pools: str) -> model.AddressRequest:
    """One IPv6 address, from these pools where given."""
    return model.AddressRequest(family=addresses.Family.IPV6, pools=pools)


def fixed(*candidates: str) -> model.AddressRequest:
    """One of these addresses."""
    parsed = tuple(addresses.parse_address(text) for text in candidates)
    return model.AddressRequest(family=addresses.family_of(parsed[0]), candidates=parsed)
