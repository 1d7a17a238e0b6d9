"""What is told of changes: the kinds of events, why they happened, and whole holdings.

Events are written by `storage.events` and read by the feed and the history.
"""

import dataclasses
import datetime
import enum

from moorage_server.domain import actors, model


class Kind(enum.StrEnum):
    """What happened to an address."""

    ASSIGNED = "ASSIGNED"
    RELEASED = "RELEASED"


class Cause(enum.StrEnum):
    """Why it happened."""

    REQUESTED = "REQUESTED"
    SUPERSEDED = "SUPERSEDED"
    RECONCILED = "RECONCILED"
    ADOPTED = "ADOPTED"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One change of one address.

    `allocation` is what is held from then on, or was until then, with the generation
    and time of its assignment; `pool` the id of the pool it is drawn from. `generation`
    is the event's own. `by`: whose act it was, where that is known and asked for.
    """

    kind: Kind
    cause: Cause
    generation: int
    time: datetime.datetime
    pool: str
    allocation: model.Allocation
    revision: int = 0
    by: actors.Act | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """Who held an address, from when to when; `end` is None where it is still held. `begun_by`:
    as of an event.
    """

    allocation: model.Allocation
    pool: str
    end: Event | None = None
    begun_by: actors.Act | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """From `start` until before `end`; without either, since ever or until now."""

    start: datetime.datetime | None = None
    end: datetime.datetime | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One page of a history: `size` holdings from the one behind the generation `after`.

    With `pools`, only of these. With `tells_actors`, also who made the changes.
    """

    wanted: model.AllocationFilter
    pools: tuple[str, ...]
    during: Period
    after: int
    size: int
    tells_actors: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Holdings in order of the generation of their assignment, and whether more follow.

    `known_since`: of what was released before, not all is told.
    """

    holdings: tuple[Holding, ...]
    more: bool
    known_since: datetime.datetime


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """How far back a VRF's history goes: `told` of it is what ended since then, all if None.

    `kept` is when the oldest month begins that is still there. It is later where the VRF
    keeps more than it did.
    """

    told: datetime.datetime | None
    kept: datetime.datetime

    @classmethod
    def of(cls, retention: int, now: datetime.datetime, kept: datetime.datetime) -> "Memory":
        """Of a VRF that keeps its history for so many days, or for ever where it is 0."""
        told = now - datetime.timedelta(days=retention) if retention else None
        return cls(told=told, kept=kept)

    @property
    def known_since(self) -> datetime.datetime:
        """Since when all is there and told."""
        return self.kept if self.told is None else max(self.told, self.kept)

    def narrowed(self, during: Period) -> Period:
        """What is told of a period."""
        if self.told is None:
            return during
        start = self.told if during.start is None else max(during.start, self.told)
        return dataclasses.replace(during, start=start)
