"""Number: gives revisions to the events that have their final place in the feed."""

import dataclasses
import time

from moorage_server.storage import database, fence

AT_ONCE = 5000  # events in one transaction, at most
FEWEST = 50  # of those, where even fewer take too long
PATIENCE = 1.0  # seconds in one pass; the next goes on where this one was
FIRST_PAUSE = 0.004  # seconds between two looks, doubled each time
LONGEST_PAUSE = 0.03


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Numbered:
    """The VRFs whose feeds have grown, and whether there is more to number.

    Unless there is, all is numbered that was committed before `since`, on time.monotonic()'s clock.
    """

    vrf_ids: tuple[int, ...] = ()
    more: bool = False
    since: float = dataclasses.field(default=0.0, compare=False)


class Numberer:
    """What one server has in view; see `storage.fence` for why it is complete and in order."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._reach: tuple[fence.Reach, float] | None = None  # and when it was looked for
        self._at_once = AT_ONCE

    def number(self, store: database.Database, limits: database.Limits) -> Numbered:
        """Numbers what can be.

        Nothing where there is nothing new, where another server is at it, or where an
        older transaction has not ended yet.
        """
        kept, self._reach = self._reach, None
        # What fails is begun anew.
        reach, since = kept or _look(store, limits)
        if reach is None:
            return Numbered(since=since)
        numbered, done = self._run(store, limits, reach)
        if not done:
            self._reach = reach, since
        return Numbered(vrf_ids=tuple(numbered), more=not done, since=since)

    def _run(
        self, store: database.Database, limits: database.Limits, reach: fence.Reach
    ) -> tuple[list[int], bool]:
        """Takes on half as much after what has failed, as it may have taken too long; then more."""
        most, self._at_once = self._at_once, max(self._at_once // 2, FEWEST)
        done = store.run(lambda transaction: _number(transaction, reach, most), limits)
        self._at_once = min(most + max(most // 4, 1), AT_ONCE)
        return done


def _look(store: database.Database, limits: database.Limits) -> tuple[fence.Reach | None, float]:
    since = time.monotonic()
    return store.run(fence.reach, limits), since


def _number(
    transaction: database.Transaction, reach: fence.Reach, most: int
) -> tuple[list[int], bool]:
    if not fence.is_here(transaction, reach):
        return [], True
    if not _settles(transaction, reach) or not fence.take(transaction):
        return [], False
    return fence.number(transaction, reach, limit=most)


def _settles(transaction: database.Transaction, reach: fence.Reach) -> bool:
    end, pause = time.monotonic() + PATIENCE, FIRST_PAUSE
    while not fence.is_settled(transaction, reach):
        if time.monotonic() >= end:
            return False
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
    return True
