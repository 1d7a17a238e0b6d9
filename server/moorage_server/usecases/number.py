"""Number: gives revisions to the events that have their final place in the feed."""

import dataclasses
import time

from moorage_server.storage import database, fence

AT_ONCE = 5000  # ids that events may have, in one transaction
PATIENCE = 1.0  # seconds; whoever numbers holds a transaction id, which vacuum waits for
FIRST_PAUSE = 0.005  # seconds between two looks, doubled each time
LONGEST_PAUSE = 0.03


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Numbered:
    """The VRFs whose feeds have grown, and whether there is more to number."""

    vrf_ids: tuple[int, ...] = ()
    more: bool = False


class _NotSettled(Exception):
    """An older transaction is still at work: nothing is numbered."""


def number(store: database.Database, limits: database.Limits) -> Numbered:
    """Numbers what can be; see `storage.fence` for why it is complete and in order.

    Does nothing where there is nothing new, where another server is at it, or where an
    older transaction does not end.
    """

    def work(transaction: database.Transaction) -> Numbered:
        taken = fence.take(transaction)
        return _number(transaction) if taken else Numbered(more=taken is False)

    try:
        return store.run(work, limits)
    except _NotSettled:
        return Numbered(more=True)


def _number(transaction: database.Transaction) -> Numbered:
    reach = fence.reach(transaction)
    _settle(transaction)
    vrf_ids = fence.number(transaction, reach, limit=AT_ONCE)
    return Numbered(vrf_ids=tuple(vrf_ids), more=reach.drawn - reach.fenced > AT_ONCE)


def _settle(transaction: database.Transaction) -> None:
    end, pause = time.monotonic() + PATIENCE, FIRST_PAUSE
    while not fence.is_settled(transaction):
        if time.monotonic() >= end:
            raise _NotSettled
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
