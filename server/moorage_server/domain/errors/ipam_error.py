"""What every error is, and how what varies in one is written."""

import datetime
from typing import ClassVar


class IpamError(Exception):
    """An operation was refused or could not be completed."""

    reason: ClassVar[str]

    def __init__(self, message: str, **metadata: str) -> None:
        """Keeps the message for people and the metadata for programs."""
        super().__init__(message)
        self.message = message
        self.metadata = metadata


# An error travels in the trailers of a call, which have room for a few kilobytes.
SHOWN = 4


def listed(texts: list[str], separator: str) -> str:
    """The first few of some texts, and how many more there are."""
    more = [f"and {len(texts) - SHOWN} more"] if len(texts) > SHOWN else []
    return separator.join(texts[:SHOWN] + more)


def rfc3339(time: datetime.datetime) -> str:
    """A time as errors tell it, to the second."""
    return time.astimezone(datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
