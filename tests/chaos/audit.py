"""What is stored and told at the end of a round, when nobody does anything."""

import dataclasses
import time

from campaigns.consumers import Consumer
from chaos.rounds import Event, Holding
from harness import invariants
from harness.postgres import Database

SETTLED = 90.0  # seconds in which what has happened must have been told

_EVENTS = """
SELECT event_id, kind, cause, host(address), container_id,
    coalesce(assign_generation, event_id), namespace
FROM events WHERE event_id > :after AND network = 'pods' ORDER BY event_id
"""
_HELD = """
SELECT host(l.address), l.generation, a.container_id
FROM allocations l JOIN attachments a ON a.uid = l.attachment_uid AND a.vrf_id = l.vrf_id
WHERE a.network = 'pods'
"""
_TOLD = """
SELECT r.revision, r.event_id FROM revisions r WHERE r.revision > :after ORDER BY r.revision
"""
_REACHED = "SELECT coalesce((SELECT max(event_id) FROM events), 0) <= event_id FROM fence"
_HEAD = "SELECT coalesce(max(revision), 0) FROM revision_heads"


@dataclasses.dataclass
class Books:
    """What is stored, read from where the last round ended."""

    database: Database
    events: int = 0
    revision: int = 0

    def written(self) -> list[Event]:
        """The events since the last look."""
        rows = self.database.rows(_EVENTS, after=self.events)
        found = [
            Event(
                generation=int(str(event_id)),
                kind=str(kind),
                cause=str(cause),
                address=str(address),
                container=str(container),
                assigned_at=int(str(assigned_at)),
                namespace=str(namespace),
            )
            for event_id, kind, cause, address, container, assigned_at, namespace in rows
        ]
        self.events = max((each.generation for each in found), default=self.events)
        return found

    def held(self) -> dict[Holding, str]:
        """Who holds what."""
        rows = self.database.rows(_HELD)
        return {(str(a), int(str(generation))): str(who) for a, generation, who in rows}

    def broken(self) -> list[str]:
        """The rules that do not hold among rows."""
        try:
            invariants.check(self.database)
        except AssertionError as broken:
            return [f"invariant: {broken}"]
        return []

    def feed(self, watching: list[Consumer]) -> list[str]:
        """What consumers were not told, or were told otherwise, once they had the time."""
        until = time.monotonic() + SETTLED
        while not self.database.scalar(_REACHED):
            if time.monotonic() > until:
                return ["feed: what has happened is never numbered"]
            time.sleep(0.02)
        head, count = self._head(), self.database.scalar("SELECT count(*) FROM events")
        if head != count:
            return [f"feed: {count} events, and only {head} of them have a place"]
        wrong = [line for each in watching for line in self._of(each, head, until)]
        self.revision = head
        return wrong

    def _of(self, consumer: Consumer, head: int, until: float) -> list[str]:
        while consumer.revision < head:
            if consumer.failure is not None:
                return [f"feed: {consumer.failure!r}"]
            if time.monotonic() > until:
                return [f"feed: a consumer is at {consumer.revision} of {head} for ever"]
            time.sleep(0.02)
        told = list(zip(consumer.revisions, consumer.generations, strict=True))
        first = told[0][0] if told and not self.revision else self.revision + 1
        happened = [tuple(row) for row in self.database.rows(_TOLD, after=first - 1)]
        wrong = [] if told == happened else [_difference(told, happened)]
        wrong += [f"feed: {consumer.inverted} times in another order"] if consumer.inverted else []
        held = {(each.address, each.generation) for each in consumer.copy.allocations.values()}
        if held != set(self.held()):
            wrong.append(f"feed: a copy differs in {sorted(held ^ set(self.held()))[:5]}")
        # Nobody writes now, so nobody is told of anything.
        del consumer.revisions[:], consumer.generations[:]
        return wrong

    def _head(self) -> int:
        return int(str(self.database.scalar(_HEAD)))


def _difference(told: list[tuple[int, int]], happened: list[tuple[object, ...]]) -> str:
    lost, invented = set(happened) - set(told), set(told) - set(happened)
    return f"feed: lost {sorted(lost, key=str)[:5]}, invented {sorted(invented)[:5]}"
