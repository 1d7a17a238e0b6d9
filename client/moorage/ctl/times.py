"""Times on the command line: RFC 3339, or so long before now."""

import datetime
import re

import click
from google.protobuf import timestamp_pb2

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGO = re.compile(r"-(\d{1,9})([smhdw])")
_EXPECTED = "write it as 2030-01-31T12:00:00Z, or as -2h for two hours ago (s, m, h, d, w)"


class Time(click.ParamType[datetime.datetime]):
    """A moment; what is relative counts from now, by the clock of this machine."""

    name = "time"

    def convert(
        self,
        value: str | datetime.datetime,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> datetime.datetime:
        """Return the moment that `value` spells."""
        if isinstance(value, datetime.datetime):
            return value
        try:
            return parse(value, datetime.datetime.now(datetime.UTC))
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is not a time with its zone; {_EXPECTED}", param, ctx)


def parse(text: str, now: datetime.datetime) -> datetime.datetime:
    """Return the moment that a text spells; raises ValueError or OverflowError."""
    ago = _AGO.fullmatch(text)
    if ago:
        return now - datetime.timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    time = datetime.datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("no zone")
    return time.astimezone(datetime.UTC)


def spelled(time: datetime.datetime | timestamp_pb2.Timestamp) -> str:
    """Return a moment as it can be given again, to the microsecond."""
    if isinstance(time, timestamp_pb2.Timestamp):
        time = time.ToDatetime(tzinfo=datetime.UTC)
    return time.astimezone(datetime.UTC).isoformat().replace("+00:00", "Z")
