"""Tells the log of callers who are not let in; who tries again and again does not flood it."""

import time
from collections.abc import Callable
from typing import Final

import structlog

from moorage_server.api import peers
from moorage_server.domain import errors

EVERY: Final = 10.0  # seconds from one line about a source and a cause to the next
_MOST: Final = 1000  # sources and causes that are kept apart

_log = structlog.get_logger()


class Strangers:
    """Of each source and cause one line at a time says how many calls it stands for.

    Why is said, and from where; what was shown never is.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Nobody has come."""
        self._clock = clock
        self._begun_at = clock()
        self._untold: dict[tuple[str, str], int] = {}

    def tell(self, peer: str, refusal: errors.IpamError, **told: object) -> None:
        """One has come from this peer of gRPC, and was refused."""
        if self._clock() >= self._begun_at + EVERY:
            self._sum_up()
        source, cause = peers.host(peer), refusal.metadata.get("cause", refusal.reason)
        if (source, cause) in self._untold:
            self._untold[source, cause] += 1
        elif len(self._untold) < _MOST:
            self._untold[source, cause] = 0
            _log.warning("not let in", source=source, cause=cause, **told)

    def _sum_up(self) -> None:
        untold, self._untold = self._untold, {}
        self._begun_at = self._clock()
        for (source, cause), count in untold.items():
            if count:
                _log.warning("not let in again", source=source, cause=cause, calls=count)
