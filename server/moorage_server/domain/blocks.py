"""Blocks, and the frontier that they are opened at.

A block is a fixed-size slice of a pool with a queue of its free ordinals: taken
from the head, returned to the tail, so the address longest unused goes next.
Blocks are opened when they are first needed and closed when they are given up;
the frontier knows which are not open.
"""

import bisect
import dataclasses
import datetime
from collections.abc import Callable

from moorage_server.domain import addresses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cooling:
    """A released ordinal that is kept for its last owner until it is ready for anybody."""

    ordinal: int
    ready_tick: int
    owner: str

    def is_kept_from(self, owner: str) -> bool:
        """Whether this owner has to wait; one that cannot be told from others has to."""
        return not owner or owner != self.owner


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sticky:
    """A released ordinal that is kept for its owner, for one network and interface.

    From `ready_tick` on it is ready for anybody; where it is given up before, from
    `cooled_tick` on, until when it would have cooled down anyway.
    """

    ordinal: int
    ready_tick: int
    owner_key: str
    network: str
    interface: str
    cooled_tick: int

    def is_for(self, owner_key: str, network: str, interface: str) -> bool:
        """Whether it is kept for this owner, there."""
        kept = self.owner_key, self.network, self.interface
        return kept == (owner_key, network, interface)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A slice of a pool; `node` is None where it belongs to no node.

    `claim_time`: since when it belongs to its node, or is open.
    """

    pool_id: int
    cidr: addresses.Network
    node: str | None
    free: tuple[int, ...]
    claim_time: datetime.datetime
    cooling: tuple[Cooling, ...] = ()
    sticky: tuple[Sticky, ...] = ()

    @property
    def waiting(self) -> tuple[Cooling | Sticky, ...]:
        """What is neither held nor free."""
        return *self.cooling, *self.sticky

    @property
    def next_ready_tick(self) -> int | None:
        """When the next of its addresses is ready for anybody; None where none waits."""
        return min((each.ready_tick for each in self.waiting), default=None)

    @property
    def is_empty(self) -> bool:
        """Whether none of its addresses is held, cooling or sticky."""
        return len(self.free) == 1 << (self.cidr.max_prefixlen - self.cidr.prefixlen)

    def address(self, ordinal: int) -> addresses.Address:
        """The address with this ordinal, counted from the start of the block."""
        return self.cidr[ordinal]

    def ordinal(self, address: addresses.Address) -> int:
        """The ordinal of an address of the block."""
        return int(address) - int(self.cidr.network_address)

    def first_free(self, hidden: addresses.RangeSet) -> int | None:
        """The ordinal at the head of the queue, past hidden ones, which keep their place."""
        if not self.free or not hidden.touches(addresses.Span.of(self.cidr)):
            return self.free[0] if self.free else None
        base = int(self.cidr.network_address)
        return next((each for each in self.free if base + each not in hidden), None)

    def holds(self, ordinal: int) -> bool:
        """Whether somebody holds the address with this ordinal."""
        return ordinal not in self.free and all(each.ordinal != ordinal for each in self.waiting)

    def cooling_at(self, ordinal: int) -> Cooling | None:
        """What keeps this ordinal from others, if anything does."""
        return next((each for each in self.cooling if each.ordinal == ordinal), None)

    def sticky_at(self, ordinal: int) -> Sticky | None:
        """Whom this ordinal is kept for, if for anybody."""
        return next((each for each in self.sticky if each.ordinal == ordinal), None)

    def kept_for(self, owner: str) -> list[int]:
        """The cooling ordinals that this owner may have back."""
        return [each.ordinal for each in self.cooling if not each.is_kept_from(owner)]

    def without(self, *ordinals: int) -> "Block":
        """The block with these ordinals taken, whether they were free, cooling or sticky."""
        taken = frozenset(ordinals)
        free = tuple(each for each in self.free if each not in taken)
        cooling = tuple(each for each in self.cooling if each.ordinal not in taken)
        sticky = tuple(each for each in self.sticky if each.ordinal not in taken)
        return dataclasses.replace(self, free=free, cooling=cooling, sticky=sticky)

    def with_returned(self, ordinal: int) -> "Block":
        """The block with this ordinal at the tail of the queue."""
        return dataclasses.replace(self, free=(*self.free, ordinal))

    def with_cooling(self, cooling: Cooling) -> "Block":
        """The block with an ordinal that returns to the queue when it is ready."""
        return dataclasses.replace(self, cooling=(*self.cooling, cooling))

    def with_sticky(self, sticky: Sticky) -> "Block":
        """The block with an ordinal that is kept for its owner."""
        return dataclasses.replace(self, sticky=(*self.sticky, sticky))

    def without_sticky(self, sticky: Sticky, owner: str) -> "Block":
        """The block with an ordinal that its owner lost: it cools down like any other."""
        left = tuple(each for each in self.sticky if each != sticky)
        cooling = Cooling(ordinal=sticky.ordinal, ready_tick=sticky.cooled_tick, owner=owner)
        return dataclasses.replace(self, sticky=left).with_cooling(cooling)

    def at(self, tick: int) -> "Block":
        """The block with all that is ready at a tick at the tail of the queue, in order."""
        ready = sorted(each.ordinal for each in self.waiting if each.ready_tick <= tick)
        if not ready:
            return self
        return dataclasses.replace(
            self,
            free=(*self.free, *ready),
            cooling=tuple(each for each in self.cooling if each.ready_tick > tick),
            sticky=tuple(each for each in self.sticky if each.ready_tick > tick),
        )

    def of(self, node: str | None, since: datetime.datetime) -> "Block":
        """The block as one that belongs to a node, or to none."""
        return dataclasses.replace(self, node=node, claim_time=since)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Frontier:
    """The indexes of a pool's blocks that are not open, as half-open runs in order."""

    pool_id: int
    unused: tuple[tuple[int, int], ...]

    def __contains__(self, index: int) -> bool:
        """Whether the block with this index is not open."""
        return any(start <= index < stop for start, stop in self.unused)

    def without(self, index: int) -> "Frontier":
        """The frontier after this block was opened."""
        pieces = []
        for start, stop in self.unused:
            if start <= index < stop:
                pieces += [(start, index), (index + 1, stop)]
            else:
                pieces.append((start, stop))
        kept = tuple((start, stop) for start, stop in pieces if start < stop)
        return dataclasses.replace(self, unused=kept)

    def with_closed(self, index: int) -> "Frontier":
        """The frontier after this block was closed."""
        at = bisect.bisect(self.unused, (index, index))
        before, after = self.unused[:at], self.unused[at:]
        start, stop = index, index + 1
        if before and before[-1][1] == start:
            start, before = before[-1][0], before[:-1]
        if after and after[0][0] == stop:
            stop, after = after[0][1], after[1:]
        return dataclasses.replace(self, unused=(*before, (start, stop), *after))

    def lowest(self, useless: Callable[[int], int | None]) -> int | None:
        """The lowest index worth opening.

        `useless(index)` is None for such an index, else the first index after it
        that may not be useless: a huge reservation is passed in one step.
        """
        for start, stop in self.unused:
            index = start
            while index < stop:
                beyond = useless(index)
                if beyond is None:
                    return index
                index = beyond
        return None


def fresh(pool_id: int, cidr: addresses.Network, node: str | None, now: datetime.datetime) -> Block:
    """A block nobody has drawn from, its ordinals in order."""
    size = 1 << (cidr.max_prefixlen - cidr.prefixlen)
    free = tuple(range(size))
    return Block(pool_id=pool_id, cidr=cidr, node=node, free=free, claim_time=now)
