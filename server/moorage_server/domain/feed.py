"""The feed of a VRF: cursors, and what was held at one.

A snapshot is of a revision, but is read from a table that may be ahead of it: events
that have been committed and not numbered will be told again. So they are undone first.
"""

import dataclasses
from collections.abc import Iterable

from moorage_server.domain import errors, history, model


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """A position in the feed: everything up to `revision` of this history has been told."""

    epoch: str
    revision: int


def require_known(vrf: str, cursor: Cursor, head: Cursor) -> None:
    """Raises CursorUnknown where a feed that is at `head` has never been at `cursor`."""
    if cursor.epoch != head.epoch or cursor.revision > head.revision:
        raise errors.CursorUnknown(vrf, head.epoch, head.revision)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Interest:
    """Which changes are to be told of: `filter` has no pools, which go by what they are called.

    A pool that was made anew may have another range than the one that an event was of.
    """

    filter: model.AllocationFilter
    pools: frozenset[str] = frozenset()

    def wants(self, event: history.Event) -> bool:
        """Whether an event of this VRF is to be told of."""
        of_pools = not self.pools or event.pool in self.pools
        return of_pools and self.filter.matches(event.allocation)


class Rewind:
    """Takes allocations back to where they were before some events, given in order."""

    def __init__(self, later: Iterable[history.Event]) -> None:
        """For each address the first of its events tells what was before all of them."""
        self._first: dict[str, history.Event] = {}
        for each in later:
            self._first.setdefault(str(each.allocation.address), each)

    def is_changed(self, address: str) -> bool:
        """Whether an event is about an address; who holds any other has held it then."""
        return address in self._first

    def restored(self, wanted: model.AllocationFilter) -> list[history.Holding]:
        """What was held then and released since, as its release tells.

        For how long it stays kept, and whether it was suspect, a release does not tell.
        """
        return [
            history.Holding(allocation=each.allocation, pool=each.pool)
            for each in self._first.values()
            if each.kind is history.Kind.RELEASED and wanted.matches(each.allocation)
        ]
