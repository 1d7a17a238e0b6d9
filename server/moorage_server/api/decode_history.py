"""Messages about the past -> domain: who held addresses, and how full pools were."""

import datetime

from moorage.v1 import history_pb2
from moorage.v1 import pool_service_pb2 as pool_messages
from moorage_server.api import decode, decode_resources, limits, names, page_tokens
from moorage_server.api.violations import Violations
from moorage_server.domain import history
from moorage_server.usecases.targets import Target

_MICROSECOND = datetime.timedelta(microseconds=1)
_LAST = datetime.datetime.max.replace(tzinfo=datetime.UTC)


def listing(request: history_pb2.ListAllocationHistoryRequest) -> history.Question:
    """What ListAllocationHistory asks for."""
    found = Violations()
    size = page_tokens.page_size(found, request.page_size)
    vrf = names.parent(found, request.parent)
    wanted = decode.allocation_filter(found, vrf, request.filter)
    during = _period(found, request)
    found.check()
    last_key = page_tokens.decode(request, request.page_token)
    # Whoever makes a token up may put anything in it.
    after = found.parsed("page_token", last_key, page_tokens.number) if last_key else 0
    found.check()
    return history.Question(
        wanted=wanted,
        pools=tuple(request.filter.pools),
        during=during,
        after=after or 0,
        size=size,
    )


def outlook(request: pool_messages.ForecastPoolRequest) -> tuple[Target, int]:
    """The pool and the number of days that ForecastPool asks for."""
    found, days = Violations(), request.window_days
    target = decode_resources.child_target(found, "name", request.name, names.POOLS)
    if not 0 <= days <= limits.WINDOW_DAYS:
        found.add("window_days", f"is {days}; leave it out or give 1 to {limits.WINDOW_DAYS}")
    found.check()
    return target, days or limits.WINDOW_DAYS_DEFAULT


def _period(found: Violations, request: history_pb2.ListAllocationHistoryRequest) -> history.Period:
    """A moment is the microsecond that it lies in: no change is known more exactly."""
    at, start, end = (
        found.time(field, getattr(request, field)) if request.HasField(field) else None
        for field in ("at_time", "start_time", "end_time")
    )
    if request.HasField("at_time"):
        if request.HasField("start_time") or request.HasField("end_time"):
            found.add("at_time", "does not go with start_time and end_time; give either")
        return history.Period(start=at, end=_after(at))
    if start is not None and end is not None and end <= start:
        found.add("end_time", "is not after start_time; exchange them, or give at_time")
    return history.Period(start=start, end=_after(end) if request.end_time.nanos % 1000 else end)


def _after(time: datetime.datetime | None) -> datetime.datetime | None:
    return None if time is None or time == _LAST else time + _MICROSECOND
