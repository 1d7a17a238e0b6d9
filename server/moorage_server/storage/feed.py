"""Reading the feed: where it is, its events by revision, and those that have none yet."""

import dataclasses

import sqlalchemy as sa

from moorage_server.domain import errors, history, model
from moorage_server.storage import allocations, arrays, statements

_PLACE = statements.Statement("""
SELECT v.vrf_id, CAST(v.epoch AS text) AS epoch, coalesce(h.revision, 0) AS head,
    f.event_id AS fenced
FROM vrfs v CROSS JOIN fence f LEFT JOIN revision_heads h ON h.vrf_id = v.vrf_id
WHERE v.name = :vrf
""")

# By a range of revisions, which are dense: a plan made while there were few may read all
# that follow. Then each event by its whole key: its time says in which partition it is.
_NUMBERED = statements.Statement("""
SELECT r.revision, e.* FROM revisions r JOIN events e
    ON e.event_id = r.event_id AND e.vrf_id = r.vrf_id AND e.event_time = r.event_time
WHERE r.vrf_id = :vrf_id AND r.revision > :after AND r.revision <= :upto ORDER BY r.revision
""")

# From the first revision on, until one has its event: these go by the month, with all before them.
_OLDEST = statements.Statement("""
SELECT r.revision FROM revisions r CROSS JOIN LATERAL (
    SELECT FROM events e
    WHERE e.event_id = r.event_id AND e.vrf_id = r.vrf_id AND e.event_time = r.event_time LIMIT 1
) AS kept
WHERE r.vrf_id = :vrf_id AND r.revision > :after ORDER BY r.revision LIMIT 1
""")

_UNNUMBERED = statements.Statement("""
SELECT 0 AS revision, e.* FROM events e WHERE e.event_id > :fenced AND e.vrf_id = :vrf_id
ORDER BY e.event_id
""")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the feed of a VRF is: `head` is its last revision, `fenced` the fence's event."""

    vrf_id: int
    epoch: str
    head: int
    fenced: int


def place(connection: sa.Connection, vrf: str) -> Place:
    """Where the feed of a VRF is; raises VrfNotFound."""
    row = _PLACE.row(connection, {"vrf": vrf})
    if row is None:
        raise errors.VrfNotFound(vrf)
    return Place(vrf_id=row.vrf_id, epoch=row.epoch, head=row.head, fenced=row.fenced)


def numbered(
    connection: sa.Connection, at: Place, vrf: str, *, after: int, upto: int
) -> list[history.Event]:
    """The events behind one revision, up to another, in order; raises CursorExpired."""
    parameters = {"vrf_id": at.vrf_id, "after": after, "upto": upto}
    found = [event(row, vrf) for row in _NUMBERED.rows(connection, parameters)]
    if len(found) < upto - after:
        oldest: int | None = _OLDEST.value(connection, {"vrf_id": at.vrf_id, "after": after})
        raise errors.CursorExpired(vrf, after, oldest or at.head + 1)
    return found


def unnumbered(connection: sa.Connection, at: Place, vrf: str) -> list[history.Event]:
    """The events that this transaction sees and that have no revision, in order of generation."""
    parameters = {"vrf_id": at.vrf_id, "fenced": at.fenced}
    return [event(row, vrf) for row in _UNNUMBERED.rows(connection, parameters)]


def event(row: arrays.Row, vrf: str) -> history.Event:
    """The event in a row of `events` with its revision."""
    allocation = model.Allocation(
        attachment=allocations.attachment_key(row, vrf),
        address=row.address,
        generation=row.assign_generation or row.event_id,
        block=row.block,
        assign_time=row.assign_time or row.event_time,
        facts=model.Facts(
            workload=model.Workload(
                node=row.node,
                namespace=row.namespace,
                pod=row.pod,
                pod_uid=row.pod_uid,
                cluster=row.cluster,
            ),
            use=model.Use(row.use),
            owner_key=row.owner_key,
            labels=row.labels,
        ),
        yielded=row.yielded,
    )
    return history.Event(
        kind=history.Kind(row.kind),
        cause=history.Cause(row.cause),
        generation=row.event_id,
        time=row.event_time,
        pool=row.pool,
        allocation=allocation,
        revision=row.revision,
    )
