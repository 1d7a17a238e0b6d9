"""Pools compiled for deciding: selectors parsed, hidden addresses worked out."""

import dataclasses
from collections.abc import Iterable, Mapping

from moorage_server.domain import addresses, resources, selectors
from moorage_server.domain.grants import Grants, Policy

UNRESTRICTED = Policy()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Reserved:
    """Addresses that a reservation hides; with an owner key, they are this owner's."""

    span: addresses.Span
    owner_key: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Offer:
    """A pool with its selectors parsed and its hidden addresses worked out.

    `withheld` addresses are never assigned; `hidden` ones, which add the VRF's
    reservations, are not assigned unless asked for by address. Those `owned` are
    reserved for an owner each, and nobody else is given them. `grants` say which namespaces may
    have any of it.
    """

    pool_id: int
    pool: resources.Pool
    node_selector: selectors.Selector
    namespace_selector: selectors.Selector
    withheld: addresses.RangeSet
    hidden: addresses.RangeSet
    owned: Mapping[str, addresses.RangeSet]
    owned_by_any: addresses.RangeSet
    grants: Grants

    @property
    def name(self) -> str:
        """The pool's id."""
        return self.pool.name

    @property
    def affine(self) -> bool:
        """Whether its blocks belong to nodes."""
        return self.pool.block_affinity is resources.BlockAffinity.NODE

    @property
    def yields(self) -> bool:
        """Whether its cooling addresses are given where nothing else is left."""
        return self.pool.cooldown_policy is resources.CooldownPolicy.YIELD

    def gives(self, value: int, owner_key: str) -> bool:
        """Whether an owner is given this address without asking for it by name."""
        return value not in self.hidden or (
            value in self.owned_by(owner_key) and value not in self.withheld
        )

    def owned_by(self, owner_key: str) -> addresses.RangeSet:
        """What is reserved for an owner."""
        return self.owned.get(owner_key) or addresses.RangeSet(self.pool.family)

    def is_kept_from(self, owner_key: str, value: int) -> bool:
        """Whether an address is reserved for others, and not for this owner."""
        return value in self.owned_by_any and value not in self.owned_by(owner_key)

    def answers_to(self, text: str) -> bool:
        """Whether a text is the pool's id or exactly its CIDR, in any spelling."""
        return text == self.name or ("/" in text and cidr_of(text) == self.pool.cidr)

    @property
    def selects_every_node(self) -> bool:
        """Whether its node selector lets every node through, whatever its labels."""
        return self.node_selector.canonical == "all()"

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
    pool_id: int,
    pool: resources.Pool,
    reservations: tuple[Reserved, ...] = (),
    policy: Policy = UNRESTRICTED,
) -> Offer:
    """Compiles a pool."""
    withheld, inside = pool.withheld(), addresses.Span.of(pool.cidr)
    here = [each for each in reservations if each.span.overlaps(inside)]
    reserved = addresses.RangeSet(pool.family, (each.span for each in here)).within(inside)
    owned = {
        owner_key: addresses.RangeSet(pool.family, spans).within(inside)
        for owner_key, spans in _by_owner(here).items()
    }
    return Offer(
        pool_id=pool_id,
        pool=pool,
        node_selector=selectors.parse(pool.node_selector),
        namespace_selector=selectors.parse(pool.namespace_selector),
        withheld=withheld,
        hidden=addresses.RangeSet(pool.family, [*withheld, *reserved]),
        owned=owned,
        owned_by_any=addresses.RangeSet(
            pool.family, (run for each in owned.values() for run in each)
        ),
        grants=policy.of(pool),
    )


def _by_owner(reserved: Iterable[Reserved]) -> dict[str, list[addresses.Span]]:
    found: dict[str, list[addresses.Span]] = {}
    for each in reserved:
        if each.owner_key:
            found.setdefault(each.owner_key, []).append(each.span)
    return found


def cidr_of(text: str) -> addresses.Network | None:
    """The CIDR that a text spells, if it spells one."""
    try:
        return addresses.parse_network(text)
    except ValueError:
        return None
