"""Tick: counts the seconds that cool-downs, retentions and graces are measured in."""

import time
from collections.abc import Callable

from moorage_server.storage import database, ticks

PERIOD = 1.0  # seconds; every duration in ticks is one in seconds, at the least


class Ticker:
    """What one server has seen of the ticks."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` counts seconds and never goes back."""
        self._clock = clock
        self._seen: int | None = None
        self._since = 0.0

    def tick(self, store: database.Database, limits: database.Limits) -> int:
        """Raises the tick if it has stood for a second; returns where it is."""
        seen, due = self._seen, self._clock() - self._since >= PERIOD

        def work(transaction: database.Transaction) -> int:
            if seen is not None and due:
                ticks.advance(transaction, seen=seen)
            return ticks.read(transaction)

        now = store.run(work, limits)
        if now != seen:
            # Since the answer came, not since it was asked for: the value may have been
            # set at any moment before.
            self._seen, self._since = now, self._clock()
        return now
