"""How often somebody may do something: as often in a second, and more at once after a pause.

So that one node that has lost its mind, or whoever tries out tokens, leaves to the others what the
server can do. Who calls too often is told SERVER_BUSY, and comes again as with any other.
"""

import dataclasses
import time
from collections.abc import Callable, Hashable
from typing import Final

from moorage_server.domain import errors

MOST: Final = 20_000  # whose last times are kept, of which a thousand take a tenth of a megabyte


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So many in a second, and so many at once of somebody who has been quiet."""

    each_second: float
    at_once: int

    @property
    def ahead(self) -> float:
        """How many seconds somebody may be ahead of himself."""
        return (self.at_once - 1) / self.each_second


class Rates:
    """Whose next time is when, if all that he did had been spread out evenly.

    Of whoever is not ahead of himself nothing has to be known.
    """

    def __init__(self, what: str, rate: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        """Nobody has done it; `what` tells whoever does it too often, before the rate."""
        self._what = what
        self._rate = rate
        self._clock = clock
        self._next: dict[Hashable, float] = {}

    def require(self, who: Hashable) -> None:
        """Raises ServerBusy where this one is too far ahead of himself."""
        if self._next.get(who, 0.0) - self._clock() > self._rate.ahead:
            most = f"{self._rate.each_second:g} in a second, {self._rate.at_once} at once"
            raise errors.ServerBusy(f"{self._what} {most}")

    def count(self, who: Hashable) -> None:
        """He has done it once more."""
        now = self._clock()
        if len(self._next) >= MOST:
            self._next = {each: due for each, due in self._next.items() if due > now}
        self._next[who] = max(self._next.get(who, now), now) + 1 / self._rate.each_second

    def take(self, who: Hashable) -> None:
        """Counts it where it may be done, or raises ServerBusy."""
        self.require(who)
        self.count(who)
