"""Number: gives revisions to the events that have their final place in the feed."""

import dataclasses
import time

from moorage_server.storage import database, fence

AT_ONCE = 5000  # events in one transaction
PATIENCE = 1.0  # seconds in one pass; the next goes on where this one was
FIRST_PAUSE = 0.004  # seconds between two looks, doubled each time
LONGEST_PAUSE = 0.03


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Numbered:
    """The VRFs whose feeds have grown, and whether there is more to number."""

    vrf_ids: tuple[int, ...] = ()
    more: bool = False


class Numberer:
    """What one server has in view; see `storage.fence` for why it is complete and in order."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._reach: fence.Reach | None = None

    def number(self, store: database.Database, limits: database.Limits) -> Numbered:
        """Numbers what can be.

        Nothing where there is nothing new, where another server is at it, or where an
        older transaction has not ended yet.
        """
        reach, self._reach = self._reach, None
        # What fails is begun anew.
        reach = reach or store.run(fence.reach, limits)
        if reach is None:
            return Numbered()
        numbered, done = store.run(lambda transaction: _number(transaction, reach), limits)
        if not done:
            self._reach = reach
        return Numbered(vrf_ids=tuple(numbered), more=not done)


def _number(transaction: database.Transaction, reach: fence.Reach) -> tuple[list[int], bool]:
    if not fence.is_here(transaction, reach):
        return [], True
    if not _settles(transaction, reach) or not fence.take(transaction):
        return [], False
    return fence.number(transaction, reach, limit=AT_ONCE)


def _settles(transaction: database.Transaction, reach: fence.Reach) -> bool:
    end, pause = time.monotonic() + PATIENCE, FIRST_PAUSE
    while not fence.is_settled(transaction, reach):
        if time.monotonic() >= end:
            return False
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
    return True
