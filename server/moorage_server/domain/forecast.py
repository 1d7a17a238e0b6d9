"""How many addresses of a pool were held day by day, and when that leaves none.

The past is worked out from the present: how many are held now is known exactly, and
what was assigned and released since the end of a day is taken back from that.
"""

import dataclasses
import datetime
from collections.abc import Mapping, Sequence

from moorage_server.domain import usage

DAY = datetime.timedelta(days=1)
FURTHEST = 36_500  # days; whoever looks further ahead sees nothing


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """How many addresses were held at a moment."""

    time: datetime.datetime
    assigned: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What a pool's addresses are now, how many were held, and what follows from it."""

    counts: usage.Counts
    levels: tuple[Level, ...]
    growth: float
    days_left: float | None


def forecast(
    counts: usage.Counts,
    changes: Mapping[datetime.date, int],
    *,
    since: datetime.datetime,
    now: datetime.datetime,
) -> Forecast:
    """What to expect, given by how many more were held at the end of each day, UTC."""
    past = levels(counts.assigned, changes, since=since, now=now)
    growth = slope(past)
    return Forecast(
        counts=counts,
        levels=past,
        growth=growth,
        days_left=exhaustion(counts.available, growth),
    )


def first_day(
    now: datetime.datetime, days: int, *, known: Sequence[datetime.datetime]
) -> datetime.datetime:
    """When the first of so many days begins, now being in the last; none before all is `known`."""
    start = _day(now) - (days - 1) * DAY
    return max([start, *(_day(each) for each in known)])


def levels(
    assigned: int,
    changes: Mapping[datetime.date, int],
    *,
    since: datetime.datetime,
    now: datetime.datetime,
) -> tuple[Level, ...]:
    """How many were held at the end of each day from `since` on, and now, the oldest first."""
    told = [Level(time=now, assigned=assigned)]
    end = _day(now)
    while end > since:
        assigned -= changes.get(end.date(), 0)
        told.append(Level(time=end, assigned=assigned))
        end -= DAY
    return tuple(reversed(told))


def slope(past: Sequence[Level]) -> float:
    """By how many the level rises each day, by least squares; 0 for less than two levels."""
    if len(past) < 2:
        return 0.0
    days = [(each.time - past[0].time) / DAY for each in past]
    middle = sum(days) / len(days)
    mean = sum(each.assigned for each in past) / len(past)
    spread = sum((day - middle) ** 2 for day in days)
    together = sum(
        (day - middle) * (each.assigned - mean) for day, each in zip(days, past, strict=True)
    )
    return together / spread if spread else 0.0


def exhaustion(available: int, growth: float) -> float | None:
    """In how many days nothing is left; None where that is not in sight."""
    if available == 0:
        return 0.0
    if growth <= 0 or available > growth * FURTHEST:
        return None
    return available / growth


def _day(time: datetime.datetime) -> datetime.datetime:
    utc = time.astimezone(datetime.UTC)
    return utc.replace(hour=0, minute=0, second=0, microsecond=0)
