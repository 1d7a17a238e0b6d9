"""Blocks, and the frontier that they are opened at.

A block is a fixed-size slice of a pool with a queue of its free ordinals: taken
from the head, returned to the tail, so the address longest unused goes next.
Blocks are opened when they are first needed; the frontier knows which never were.
"""

import dataclasses
from collections.abc import Callable

from moorage_server.domain import addresses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A slice of a pool; `node` is None where it belongs to no node."""

    pool_id: int
    cidr: addresses.Network
    node: str | None
    free: tuple[int, ...]

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

    def without(self, ordinal: int) -> "Block":
        """The block with this ordinal taken."""
        at = self.free.index(ordinal)
        return dataclasses.replace(self, free=self.free[:at] + self.free[at + 1 :])

    def with_returned(self, ordinal: int) -> "Block":
        """The block with this ordinal at the tail of the queue."""
        return dataclasses.replace(self, free=(*self.free, ordinal))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Frontier:
    """The indexes of a pool's blocks that were never opened, as half-open runs."""

    pool_id: int
    unused: tuple[tuple[int, int], ...]

    def __contains__(self, index: int) -> bool:
        """Whether the block with this index was never opened."""
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


def fresh(pool_id: int, cidr: addresses.Network, node: str | None) -> Block:
    """A block nobody has drawn from, its ordinals in order."""
    size = 1 << (cidr.max_prefixlen - cidr.prefixlen)
    return Block(pool_id=pool_id, cidr=cidr, node=node, free=tuple(range(size)))
