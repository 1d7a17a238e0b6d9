"""How many addresses of a range there are, by what they are at the moment."""

import dataclasses
import datetime
from collections.abc import Sequence

from moorage_server.domain import addresses, resources


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What is taken of a range: held, cooling, sticky, and how many of these are hidden as well."""

    assigned: int = 0
    cooling: int = 0
    sticky: int = 0
    hidden: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Addresses of a range; reserved ones may be taken too, the others are disjoint."""

    capacity: int
    assigned: int
    cooling: int
    sticky: int
    reserved: int
    available: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PoolUsage:
    """The addresses of a pool, and how many of its blocks are open."""

    counts: Counts
    open_blocks: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NamedUsage:
    """The usage of one of many pools."""

    vrf: str
    pool: str
    usage: PoolUsage


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OpenBlock:
    """A block as it is listed; `node` is None where it belongs to no node."""

    pool: resources.Pool
    cidr: addresses.Network
    node: str | None
    claim_time: datetime.datetime
    counts: Counts


def count(span: addresses.Span, hidden: addresses.RangeSet, taken: Taken) -> Counts:
    """Counts the addresses of a range, given what is hidden of its pool and taken of it."""
    reserved = hidden.within(span).size
    # What is reserved and taken is withheld from the available ones once.
    gone = reserved + taken.assigned + taken.cooling + taken.sticky - taken.hidden
    return Counts(
        capacity=span.size,
        assigned=taken.assigned,
        cooling=taken.cooling,
        sticky=taken.sticky,
        reserved=reserved,
        available=span.size - gone,
    )


def count_block(
    cidr: addresses.Network,
    hidden: addresses.RangeSet,
    *,
    free: Sequence[int],
    cooling: int,
    sticky: int,
) -> Counts:
    """Counts the addresses of a block, given its free ordinals, and how many wait."""
    span = addresses.Span.of(cidr)
    here = hidden.within(span)
    hidden_and_free = sum(span.first + ordinal in here for ordinal in free) if here.size else 0
    taken = Taken(
        assigned=span.size - len(free) - cooling - sticky,
        cooling=cooling,
        sticky=sticky,
        hidden=here.size - hidden_and_free,
    )
    return count(span, here, taken)
