"""Pools compiled for deciding: selectors parsed, hidden addresses worked out."""

import dataclasses

from moorage_server.domain import addresses, resources, selectors


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

    @property
    def yields(self) -> bool:
        """Whether its cooling addresses are given where nothing else is left."""
        return self.pool.cooldown_policy is resources.CooldownPolicy.YIELD

    def gives(self, value: int, owner_key: str) -> bool:
        """Whether an owner is given this address without asking for it by name."""
        return value not in self.hidden

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


def cidr_of(text: str) -> addresses.Network | None:
    """The CIDR that a text spells, if it spells one."""
    try:
        return addresses.parse_network(text)
    except ValueError:
        return None
