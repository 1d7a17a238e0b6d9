"""A copy of what is held, kept by applying the updates of a watch.

    mirror = Mirror()
    with client.watch() as updates:
        for update in updates:
            mirror.apply(update)

A copy that was saved with its cursor goes on where it was: `Mirror(allocations, cursor)`, and
`client.watch(cursor=mirror.cursor)`.
"""

from collections.abc import Iterable

from moorage import watch
from moorage.v1 import history_pb2, resources_pb2

_ASSIGNED = history_pb2.ALLOCATION_EVENT_KIND_ASSIGNED


class Inconsistent(Exception):
    """An update does not follow from what is known: begin anew, without a cursor, and report it."""


class Mirror:
    """What is held, by address, as of `cursor`.

    `filtered` says that the watch has a filter, so that revisions are left out; without one, each
    must follow the one before.
    """

    def __init__(
        self,
        allocations: Iterable[resources_pb2.Allocation] = (),
        cursor: history_pb2.Cursor | None = None,
        *,
        filtered: bool = False,
    ) -> None:
        self.allocations = {each.address: each for each in allocations}
        self.cursor = cursor
        self._filtered = filtered

    def apply(self, update: watch.Update) -> None:
        """Apply the next update; raises Inconsistent, and is of no use any more then."""
        if update.held is not None:
            self.allocations = {each.address: each for each in update.held}
            if len(self.allocations) != len(update.held):
                raise Inconsistent("the snapshot has an address twice")
        revision = self._start(update)
        for event in update.events:
            self._check_revision(event.revision, revision)
            self._apply(event)
            revision = event.revision
        if revision > update.cursor.revision or (
            not self._filtered and (revision != update.cursor.revision)
        ):
            raise Inconsistent(
                f"events end at revision {revision}, and the cursor is {update.cursor.revision}"
            )
        self.cursor = update.cursor

    def _start(self, update: watch.Update) -> int:
        """Return the revision that the events of an update are to follow."""
        if update.held is not None:
            # A snapshot is of the revision before its first event.
            return update.events[0].revision - 1 if update.events else update.cursor.revision
        if self.cursor is None:
            raise Inconsistent("nothing is known yet, and the update is no snapshot")
        if self.cursor.epoch != update.cursor.epoch:
            raise Inconsistent(f"the update is of another history, {update.cursor.epoch}")
        return self.cursor.revision

    def _check_revision(self, revision: int, before: int) -> None:
        if revision <= before or (revision != before + 1 and not self._filtered):
            raise Inconsistent(f"revision {revision} came after {before}")

    def _apply(self, event: history_pb2.AllocationEvent) -> None:
        address = event.allocation.address
        known = self.allocations.get(address)
        if event.kind == _ASSIGNED:
            if known is not None:
                raise Inconsistent(f"{address} was assigned, and held since {known.generation}")
            self.allocations[address] = event.allocation
        elif known is None or known.generation != event.allocation.generation:
            held = "not held" if known is None else f"held since {known.generation}"
            raise Inconsistent(f"{address} was released as of {event.generation}, and is {held}")
        else:
            del self.allocations[address]
