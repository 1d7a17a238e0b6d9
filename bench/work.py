"""The vocabulary of a run: what is called, by how many callers, and what came of it.

Shared by the coordinator and the load processes, so everything here can be pickled.
"""

import dataclasses
import enum


class Call(enum.StrEnum):
    """What one caller does again and again."""

    EMPTY = "empty unary call"
    COMMIT = "single-row insert commit"
    ASSIGN = "assign"
    RELEASE = "release"
    REFUSAL = "refused assign"
    PAIR = "assign, its release not measured"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What the load processes connect to."""

    target: str
    commit_conninfo: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One stretch of load, a closed loop: a caller calls again when it was answered.

    It begins at `start` on time.monotonic()'s clock, which all processes of a machine
    share, and ends after `seconds`; after `calls` calls in all where that is given;
    and a RELEASE when nothing is held any more.
    """

    call: Call
    callers: int
    seconds: float
    pool: str = ""
    nodes: int = 1
    calls: int | None = None
    start: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What came of one phase in one process, or of several together.

    `latencies` are seconds, one for each answered call; `assigned` the addresses that
    the callers were told; `failures` what should not have been answered.
    """

    latencies: tuple[float, ...] = ()
    assigned: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    end: float = 0.0
    cpu: float = 0.0
