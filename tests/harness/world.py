"""A VRF in memory, which answers placement's needs as storage would."""

import dataclasses
import uuid
from collections.abc import Mapping

from moorage_server.domain import addresses, blocks, catalog, model, placement, resources, shelf


def pool(name: str, cidr: str, **fields: object) -> resources.Pool:
    """A pool with the defaults of the API."""
    network = addresses.parse_network(cidr)
    default = resources.DEFAULT_BLOCK_SIZE[addresses.family_of(network)]
    size = max(default, network.prefixlen)
    made = resources.Pool(vrf="default", name=name, cidr=network, block_size=size)
    return dataclasses.replace(made, **fields)  # type: ignore[arg-type]  # checked by the dataclass


class World:
    """Pools, reservations and what was written of their blocks."""

    def __init__(self, *pools: resources.Pool, reserved: tuple[str, ...] = ()) -> None:
        spans = tuple(addresses.Span.parse(text) for text in reserved)
        offers = tuple(catalog.offer(at, each, spans) for at, each in enumerate(pools, start=1))
        self.catalog = catalog.Catalog(vrf_id=1, vrf="default", version=uuid.uuid4(), offers=offers)
        self.blocks: dict[addresses.Network, blocks.Block] = {}
        self.locked: set[addresses.Network] = set()
        self.frontiers = {
            each.pool_id: blocks.Frontier(
                pool_id=each.pool_id, unused=((0, each.pool.block_count),)
            )
            for each in offers
        }

    def assign(
        self,
        *wants: model.AddressRequest,
        node: str = "",
        node_labels: Mapping[str, str] | None = None,
        namespace_labels: Mapping[str, str] | None = None,
        use: model.Use = model.Use.WORKLOAD,
    ) -> list[str]:
        """Places and writes a request; returns the addresses."""
        workload = model.Workload(node=node, namespace_labels=namespace_labels or {})
        asker = catalog.Asker(workload=workload, node_labels=node_labels or {}, use=use)
        on = shelf.Shelf(self.catalog.hidden_blocks)
        setting = placement.Setting(pools=self.catalog, asker=asker, shelf=on)
        placed = self._converse(placement.place(wants, setting), on)
        self.blocks |= {cidr: on.blocks[cidr] for cidr in on.changed | on.opened}
        self.frontiers |= {pool_id: on.frontiers[pool_id] for pool_id in on.advanced}
        return [str(each.address) for each in placed]

    def release(self, address: str) -> None:
        """Returns an address to its block."""
        parsed = addresses.parse_address(address)
        block = next(each for each in self.blocks.values() if parsed in each.cidr)
        self.blocks[block.cidr] = block.with_returned(block.ordinal(parsed))

    def _converse(
        self, conversation: placement.Conversation[list[placement.Placed]], on: shelf.Shelf
    ) -> list[placement.Placed]:
        try:
            need = next(conversation)
            while True:
                on.add(need, self._answer(need, on))
                need = conversation.send(None)
        except StopIteration as done:
            placed: list[placement.Placed] = done.value
            return placed

    def _answer(self, need: shelf.Need, on: shelf.Shelf) -> shelf.Answer:
        match need:
            case shelf.PoolFrontier():
                return shelf.Answer(frontier=self.frontiers[need.pool_id])
            case shelf.BlockAt():
                found = [self.blocks[need.cidr]] if need.cidr in self.blocks else []
            case shelf.MoreRoom():
                unseen = [each for each in self.blocks.values() if each.cidr not in on.blocks]
                room = any(each.free for each in unseen if each.pool_id in need.pool_ids)
                return shelf.Answer(contended=room)
            case _:
                found = [
                    each
                    for each in self.blocks.values()
                    if need.suits(each) and each.free and each.cidr not in on.blocks
                ]
        usable = tuple(each for each in found if each.cidr not in self.locked)
        return shelf.Answer(found=usable, contended=bool(found) and not usable)


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
