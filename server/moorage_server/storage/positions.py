"""How far the feeds of VRFs have come: what tells that a database has gone back in time.

In one history the number of events only grows, so whoever was told of more than there are
now was told by a database that this one is a copy of, of before. Events get their revisions
a moment after they are committed (`storage.fence`). So where somebody has seen more than is
numbered, what is not numbered yet is counted too: numbering takes from the one what it adds
to the other, in one transaction, and the sum is what was ever committed.

That costs a query, so it is made only where it may tell something: once for each backend of
PostgreSQL, as what one of them serves goes back only where a dump is played into its tables or
they are another database's, and then the VRF's row is another; and whenever a caller has seen
more than this process knows of.
"""

import dataclasses
import datetime
import threading
from collections.abc import Iterable

import sqlalchemy as sa

from moorage_server.domain import model
from moorage_server.storage import statements

_MOST_BACKENDS = 10_000  # behind a pooler there may be many, and they come and go

_REACHED = statements.Statement("""
SELECT CAST(v.epoch AS text) AS epoch, coalesce(h.revision, 0) + (SELECT count(*) FROM (
    SELECT FROM events e WHERE e.event_id > f.event_id AND e.vrf_id = v.vrf_id
    -- No more than matter are counted.
    LIMIT greatest(:seen - coalesce(h.revision, 0), 0)) AS unnumbered) AS revision
FROM vrfs v CROSS JOIN fence f LEFT JOIN revision_heads h ON h.vrf_id = v.vrf_id
WHERE v.vrf_id = :vrf_id
""")

# When its PostgreSQL was started, and its process, of which a number may come again; the file of
# the table in which it has found a VRF, whose path names the database, and which transaction has
# written the row: tables that were made anew, or only emptied and filled, differ in one of them.
Backend = tuple[datetime.datetime, int, str, str]
Seen = Iterable[model.Position | None]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where the feed of a VRF is by what is numbered of it, as a backend has read it."""

    vrf: str
    vrf_id: int
    position: model.Position
    backend: Backend


class Positions:
    """The furthest that a process knows each feed to have come; safe to share between threads."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._lock = threading.Lock()
        self._furthest: dict[str, model.Position] = {}
        self._looked: set[tuple[str, Backend]] = set()

    def of(self, vrf: str) -> model.Position | None:
        """Where a feed was, at least; whatever is read of it from now on is not behind that."""
        return self._furthest.get(vrf)

    def note(self, vrf: str, position: model.Position) -> None:
        """A feed has come as far; what was known of another epoch is forgotten."""
        with self._lock:
            self._furthest[vrf] = furthest(position, [self._furthest.get(vrf)])

    def look_back(
        self, connection: sa.Connection, at: Standing, known: model.Position | None, seen: Seen
    ) -> tuple[model.Position, bool]:
        """The furthest that anybody has seen a feed, and whether there is as much of it now.

        `known` is what `of` has said before anything was read.
        """
        proved = furthest(at.position, [known])
        shown = furthest(proved, seen)
        is_new = (at.vrf, at.backend) not in self._looked
        if shown.revision == proved.revision and not is_new:
            return proved, True
        if shown.revision > at.position.revision and is_ahead(connection, at.vrf_id, shown):
            self._doubt(at.vrf, shown)
            return shown, False
        self._trust(at, shown)
        return shown, True

    def _doubt(self, vrf: str, shown: model.Position) -> None:
        """Whatever is read of a VRF is to be held against this from now on."""
        with self._lock:
            self._looked = {each for each in self._looked if each[0] != vrf}
        self.note(vrf, shown)

    def _trust(self, at: Standing, shown: model.Position) -> None:
        with self._lock:
            if len(self._looked) >= _MOST_BACKENDS:
                self._looked.clear()
            self._looked.add((at.vrf, at.backend))
        self.note(at.vrf, shown)


def furthest(position: model.Position, others: Seen) -> model.Position:
    """The furthest of some positions in the history of the first; others say nothing of it."""
    same = (each for each in others if each is not None and each.epoch == position.epoch)
    return max((position, *same), key=lambda each: each.revision)


def is_ahead(connection: sa.Connection, vrf_id: int, seen: model.Position) -> bool:
    """Whether somebody has seen what there is not, although it is of this history."""
    reached = _REACHED.row(connection, {"vrf_id": vrf_id, "seen": seen.revision})
    is_same = reached is not None and reached.epoch == seen.epoch
    return is_same and bool(seen.revision > reached.revision)
