"""Which pools serve a request, and in what order.

A `Catalog` is one VRF's pools and reservations, compiled for deciding. Which
address is taken from the pools it returns is decided in `placement`.
"""

import dataclasses
import uuid
from collections.abc import Iterable, Mapping

from moorage_server.domain import addresses, errors, model, resources, selectors


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Offer:
    """A pool with its selectors parsed and its hidden addresses worked out.

    `withheld` addresses are never assigned; `hidden` ones, which add the VRF's
    reservations, are not assigned unless asked for by address.
    """

    pool_id: int
    pool: resources.Pool
    node_selector: selectors.Selector
    namespace_selector: selectors.Selector
    withheld: addresses.RangeSet
    hidden: addresses.RangeSet

    @property
    def name(self) -> str:
        """The pool's id."""
        return self.pool.name

    @property
    def affine(self) -> bool:
        """Whether its blocks belong to nodes."""
        return self.pool.block_affinity is resources.BlockAffinity.NODE

    def answers_to(self, text: str) -> bool:
        """Whether a text is the pool's id or exactly its CIDR, in any spelling."""
        return text == self.name or ("/" in text and _cidr(text) == self.pool.cidr)

    def block(self, index: int) -> addresses.Network:
        """The block with this index, counted from the start of the range."""
        shift = self.pool.family.bits - self.pool.block_size
        first = self.pool.family.address(int(self.pool.cidr[0]) + (index << shift))
        return addresses.parse_network(f"{first}/{self.pool.block_size}")

    def beyond_hidden(self, index: int) -> int | None:
        """None where the block has an address that is not hidden, else the index to go on at."""
        span = addresses.Span.of(self.block(index))
        if not self.hidden.covers(span):
            return None
        run = next(run for run in self.hidden if run.covers(span))
        return max(index + 1, self._index_of(run.last + 1))

    def _index_of(self, value: int) -> int:
        shift = self.pool.family.bits - self.pool.block_size
        return (value - int(self.pool.cidr[0])) >> shift

    def index_of(self, address: addresses.Address) -> int:
        """The index of the block that an address of the pool lies in."""
        return self._index_of(int(address))


def offer(
    pool_id: int, pool: resources.Pool, reservations: tuple[addresses.Span, ...] = ()
) -> Offer:
    """Compiles a pool."""
    withheld = pool.withheld()
    reserved = addresses.RangeSet(pool.family, reservations).within(addresses.Span.of(pool.cidr))
    return Offer(
        pool_id=pool_id,
        pool=pool,
        node_selector=selectors.parse(pool.node_selector),
        namespace_selector=selectors.parse(pool.namespace_selector),
        withheld=withheld,
        hidden=addresses.RangeSet(pool.family, [*withheld, *reserved]),
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """What eligibility depends on besides the pools."""

    workload: model.Workload
    node_labels: Mapping[str, str]
    use: model.Use


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An allocation with its pool, which says in what form it is returned."""

    allocation: model.Allocation
    pool: resources.Pool


class Catalog:
    """One VRF's pools, sorted by priority and name."""

    def __init__(
        self, *, vrf_id: int, vrf: str, version: uuid.UUID, offers: tuple[Offer, ...]
    ) -> None:
        """Takes compiled pools in any order."""
        self.vrf_id = vrf_id
        self.vrf = vrf
        self.version = version
        self.offers = sorted(offers, key=lambda each: (-each.pool.priority, each.name))
        # Blocks in these have nothing to give; one look passes over all of them.
        self.hidden_blocks = tuple(
            network
            for each in offers
            for network in each.hidden.networks()
            if network.prefixlen <= each.pool.block_size
        )
        self._by_name = {each.name: each for each in offers}
        self._by_cidr = {each.pool.cidr: each for each in offers}
        self._by_first = {family: _by_first(family, offers) for family in addresses.Family}
        self._by_id = {each.pool_id: each for each in offers}

    def by_id(self, pool_id: int) -> Offer:
        """The pool with this row id."""
        return self._by_id[pool_id]

    def named(self, text: str) -> Offer:
        """The pool with this id or exactly this CIDR; raises PoolNotFound."""
        found = self._by_name.get(text)
        cidr = _cidr(text) if found is None and "/" in text else None
        if cidr is not None:
            found = self._by_cidr.get(cidr)
        if found is None:
            raise errors.PoolNotFound(self.vrf, text)
        return found

    def show(self, held: Iterable[model.Allocation]) -> tuple[Shown, ...]:
        """Allocations of this VRF, each with its pool."""
        return tuple(Shown(allocation=each, pool=self.holding(each.address).pool) for each in held)

    def holding(self, address: addresses.Address) -> Offer:
        """The pool that an address lies in; raises AddressNotInPool."""
        family = addresses.family_of(address)
        value = int(address)
        for prefix_length, firsts in self._by_first[family].items():
            shift = family.bits - prefix_length
            found = firsts.get(value >> shift << shift)
            if found is not None:
                return found
        raise errors.AddressNotInPool(self.vrf, str(address))

    def tiers(self, want: model.AddressRequest, asker: Asker) -> list[list[Offer]]:
        """The pools to draw from, in groups of equal rank.

        Named pools are one group, in the caller's order. Within a group a node's
        own blocks come before the order of the pools.
        """
        if want.pools:
            return [self._named_pools(want, asker.use)]
        tiers: dict[int, list[Offer]] = {}
        for each in self._automatic_pools(want.family, asker):
            tiers.setdefault(each.pool.priority, []).append(each)
        return list(tiers.values())

    def _named_pools(self, want: model.AddressRequest, use: model.Use) -> list[Offer]:
        # Naming a pool passes over its selectors and mode, never over these:
        # one bad name fails the request rather than silently shortening it.
        named = list(dict.fromkeys(self.named(text) for text in want.pools))
        for each in named:
            if each.pool.family is not want.family:
                raise errors.PoolFamilyMismatch(self.vrf, each.name, want.family.name)
            self.check_usable(each, use)
        return named

    def check_usable(self, each: Offer, use: model.Use) -> None:
        """Raises PoolDisabled or PoolUseNotAllowed."""
        if each.pool.disabled:
            raise errors.PoolDisabled(self.vrf, each.name)
        if use not in each.pool.allowed_uses:
            raise errors.PoolUseNotAllowed(self.vrf, each.name, use)

    def _automatic_pools(self, family: addresses.Family, asker: Asker) -> list[Offer]:
        verdicts = [
            (each, passed_over(each, asker)) for each in self.offers if each.pool.family is family
        ]
        eligible = [each for each, rule in verdicts if rule is None]
        if not eligible:
            raise errors.NoEligiblePool(
                [(each.name, rule) for each, rule in verdicts if rule is not None],
                vrf=self.vrf,
                family=family.name,
                node=asker.workload.node,
                namespace=asker.workload.namespace,
                use=asker.use,
            )
        return eligible


def _cidr(text: str) -> addresses.Network | None:
    try:
        return addresses.parse_network(text)
    except ValueError:
        return None


def _by_first(family: addresses.Family, offers: Iterable[Offer]) -> dict[int, dict[int, Offer]]:
    """The pools of a family by prefix length, then by their first address."""
    found: dict[int, dict[int, Offer]] = {}
    for each in offers:
        cidr = each.pool.cidr
        if addresses.family_of(cidr) is family:
            found.setdefault(cidr.prefixlen, {})[int(cidr.network_address)] = each
    return found


def passed_over(each: Offer, asker: Asker) -> str | None:
    """The first rule by which a pool does not serve an automatic request, if any."""
    pool, workload = each.pool, asker.workload
    rules = (
        (pool.disabled, "it is disabled"),
        (
            pool.assignment_mode is resources.AssignmentMode.MANUAL,
            "its assignment mode is MANUAL",
        ),
        (
            not each.node_selector.matches(asker.node_labels),
            f"its node selector {pool.node_selector:.80} does not match the labels of node "
            f'"{workload.node}"',
        ),
        (
            not each.namespace_selector.matches(workload.namespace_labels),
            f"its namespace selector {pool.namespace_selector:.80} does not match the labels of "
            f'namespace "{workload.namespace}"',
        ),
        (asker.use not in pool.allowed_uses, f"it does not allow use {asker.use}"),
    )
    return next((text for applies, text in rules if applies), None)
