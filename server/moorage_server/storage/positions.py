"""How far the feeds of VRFs have come: what tells that a database has gone back in time.

In one history the number of events only grows, so whoever was told of more than there are
now was told by a database that this one is a copy of, of before. Events get their revisions
a moment after they are committed (`storage.fence`). So where somebody has seen more than is
numbered, what is not numbered yet is counted too: numbering takes from the one what it adds
to the other, in one transaction, and the sum is what was ever committed.
"""

import threading
from collections.abc import Iterable

import sqlalchemy as sa

from moorage_server.domain import model
from moorage_server.storage import statements

_REACHED = statements.Statement("""
SELECT CAST(v.epoch AS text) AS epoch, coalesce(h.revision, 0) + (SELECT count(*) FROM events e
    WHERE e.event_id > f.event_id AND e.vrf_id = v.vrf_id) AS revision
FROM vrfs v CROSS JOIN fence f LEFT JOIN revision_heads h ON h.vrf_id = v.vrf_id
WHERE v.vrf_id = :vrf_id
""")


class Positions:
    """The furthest that a process has seen each feed, by VRF; safe to share between threads."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._lock = threading.Lock()
        self._furthest: dict[str, model.Position] = {}

    def of(self, vrf: str) -> model.Position | None:
        """Where a feed was, at least; whatever is read of it from now on is not behind that."""
        return self._furthest.get(vrf)

    def note(self, vrf: str, position: model.Position) -> None:
        """A feed has come as far; what was known of another epoch is forgotten."""
        with self._lock:
            self._furthest[vrf] = furthest(position, [self._furthest.get(vrf)])


def furthest(position: model.Position, others: Iterable[model.Position | None]) -> model.Position:
    """The furthest of some positions in the history of the first; others say nothing of it."""
    same = (each for each in others if each is not None and each.epoch == position.epoch)
    return max((position, *same), key=lambda each: each.revision)


def is_ahead(connection: sa.Connection, vrf_id: int, seen: model.Position) -> bool:
    """Whether somebody has seen what there is not, although it is of this history."""
    reached = _REACHED.row(connection, {"vrf_id": vrf_id})
    is_same = reached is not None and reached.epoch == seen.epoch
    return is_same and bool(seen.revision > reached.revision)
