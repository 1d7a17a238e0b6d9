"""The vocabulary of a run: what is called, by how many callers, and what came of it.

Shared by the coordinator and the load processes, so everything here can be pickled.
"""

import dataclasses
import enum
from typing import NamedTuple


class Call(enum.StrEnum):
    """What a caller does again and again."""

    EMPTY = "grpc.health.v1.Health/Check"
    COMMIT = "insert one row and commit"
    ASSIGN = "assign"
    RELEASE = "release what was assigned"
    REFUSAL = "assign from a pool that is full"
    PAIR = "assign, then release without measuring it"
    MIX = "assign, look it up, release"
    REPLACE = "release what was assigned and assign anew"
    PEER = "acquire from go-ipam, then release without measuring it"
    # Several calls, one after the other, whose time is measured as one.
    POOL = "create a pool, delete it"
    ADDRESS = "assign, release"
    BLOCK = "open a block for a node, close it"
    OVERLAP = "create a pool that overlaps another"
    PEER_POOL = "create a prefix in go-ipam, delete it"
    PEER_ADDRESS = "acquire from go-ipam, release"
    PEER_CHILD = "acquire a child prefix from go-ipam, release it"
    PEER_OVERLAP = "create a prefix in go-ipam that overlaps another"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What callers connect to."""

    target: str = ""
    commit_conninfo: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What an assign asks for: an address of each pool that is named.

    Or, with `fixed_start`, one that the caller names itself, each time another of the 65,536 from
    there. Of a peer, `ipv4` is the prefix, of which it gives a child of `child_length`; of a pool
    that is created, its range.
    """

    ipv4: str = ""
    ipv6: str = ""
    fixed_start: str = ""
    child_length: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One stretch of load.

    It is a closed loop, a caller calls again when it was answered; or with a `rate` an open one,
    so many calls a second, whatever is answered when. It begins at `start` on time.monotonic()'s
    clock, which all processes of a machine share. It ends after `seconds`, or after `calls` calls
    in all where that is given; a RELEASE ends when nothing is held any more. Callers and `asks`
    take turns: of two hundred callers and a hundred asks, two ask for the same.
    """

    call: Call
    callers: int
    seconds: float
    place: Place = Place()
    asks: tuple[Ask, ...] = (Ask(),)
    nodes: int = 1
    calls: int | None = None
    rate: float | None = None
    start: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """So many watches, each of a node that nothing happens to, or all of everything."""

    watches: int
    of_everything: bool = False


class Holding(NamedTuple):
    """An address, from when a caller was told it to when the caller began to release it."""

    address: str
    began: float
    ended: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What came of one phase in one process, or of several together.

    `latencies` are seconds, one for each answered call; `assigned` the addresses that
    callers were told and kept, `holdings` what they had for a while, on time.monotonic()'s
    clock; `failures` what should have been answered otherwise. `answered` are calls that were
    answered in the `lasted` seconds of the phase; `turned_away` are tries that were told
    SERVER_BUSY, and made again.
    """

    latencies: tuple[float, ...] = ()
    assigned: tuple[str, ...] = ()
    holdings: tuple[Holding, ...] = ()
    failures: tuple[str, ...] = ()
    answered: int = 0
    lasted: float = 0.0
    cpu: float = 0.0
    turned_away: int = 0

    @property
    def rate(self) -> float:
        """Answered calls in a second."""
        return self.answered / self.lasted
