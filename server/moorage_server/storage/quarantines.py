"""Rows about VRFs in quarantine. Whoever writes them has locked the VRF alone, first of all.

So no assign that has read that there was none ends after one has begun.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from moorage_server.domain import model
from moorage_server.domain.quarantine import (
    AwaitedList,
    Cause,
    Quarantine,
    Report,
    UnknownAttachment,
)
from moorage_server.domain.reconciliation import ReconcileRequest
from moorage_server.storage import arrays, statements, ticks

_BEGUN = statements.Statement("""
SELECT cause, message, begin_time, begin_tick FROM quarantines
WHERE vrf_id = :vrf_id AND end_time IS NULL ORDER BY quarantine_id
""")
_BEGUN_ANYWHERE = statements.Statement("""
SELECT v.name, q.cause, q.message, q.begin_time, q.begin_tick
FROM quarantines q JOIN vrfs v ON v.vrf_id = q.vrf_id WHERE q.end_time IS NULL ORDER BY 1, 2
""")
# One that has begun begins anew: what was said before says nothing of what has happened since.
_BEGIN = statements.Statement("""
INSERT INTO quarantines (vrf_id, cause, message, findings, begin_tick)
VALUES (:vrf_id, :cause, :message, CAST(:findings AS text[]), :tick)
ON CONFLICT (vrf_id, cause) WHERE end_time IS NULL DO UPDATE SET message = excluded.message,
    findings = excluded.findings, begin_time = clock_timestamp(), begin_tick = excluded.begin_tick
""")
_END = statements.Statement("""
UPDATE quarantines SET end_time = clock_timestamp(), end_reason = :reason, ended_by = :by
WHERE vrf_id = :vrf_id AND end_time IS NULL AND cause = ANY (CAST(:causes AS text[]))
""")
_LET_PASS = statements.Statement("""
SELECT DISTINCT unnest(findings) FROM quarantines WHERE vrf_id = :vrf_id AND end_time IS NOT NULL
""")
# What is found no more was mended; should it come back, nobody has let that pass.
_MENDED = statements.Statement("""
UPDATE quarantines q SET findings = ARRAY(
    SELECT each FROM unnest(q.findings) AS each WHERE (v.name, each) IN (SELECT vrf, finding
        FROM unnest(CAST(:vrfs AS text[]), CAST(:found AS text[])) AS still (vrf, finding)))
FROM vrfs v WHERE v.vrf_id = q.vrf_id AND q.end_time IS NOT NULL AND q.findings <> '{}'
""")
_FORGET_AWAITED = statements.Statement("DELETE FROM awaited_lists WHERE vrf_id = :vrf_id")
_FORGET_UNKNOWN = statements.Statement("DELETE FROM unknown_attachments WHERE vrf_id = :vrf_id")

# Who holds something, and who may have been given something since: a node of which a tombstone
# is left, or that is recorded.
_AWAIT = statements.Statement("""
INSERT INTO awaited_lists (vrf_id, node, cluster, network)
SELECT DISTINCT vrf_id, node, cluster, network FROM attachments
WHERE vrf_id = :vrf_id AND use = 'WORKLOAD' AND node <> ''
UNION ALL
SELECT n.vrf_id, n.name, '', '' FROM nodes n WHERE n.vrf_id = :vrf_id
    AND NOT EXISTS (SELECT FROM attachments a WHERE a.node = n.name AND a.vrf_id = n.vrf_id
        AND a.use = 'WORKLOAD')
""")
_HEARD = statements.Statement("""
DELETE FROM awaited_lists WHERE vrf_id = :vrf_id AND node = :node
    AND (network = '' OR cluster = :cluster AND :network IN ('', network))
""")
_HELD = statements.Statement("""
SELECT uid FROM attachments
WHERE uid = ANY (CAST(:uids AS uuid[])) AND vrf_id + 0 = :vrf_id AND state = 'HELD'
""")
_FORGET_NAMED = statements.Statement("""
DELETE FROM unknown_attachments WHERE vrf_id = :vrf_id AND node = :node AND cluster = :cluster
    AND :network IN ('', network)
""")
_NAME = statements.Statement("""
INSERT INTO unknown_attachments (vrf_id, node, cluster, network, container_id, interface)
SELECT :vrf_id, :node, :cluster, network, container_id, interface
FROM unnest(CAST(:networks AS text[]), CAST(:container_ids AS text[]), CAST(:interfaces AS text[]))
    AS named (network, container_id, interface)
ON CONFLICT (vrf_id, network, container_id, interface)
    DO UPDATE SET node = excluded.node, cluster = excluded.cluster
""")
_IS_AWAITED = statements.Statement("""
SELECT EXISTS (SELECT FROM awaited_lists WHERE vrf_id = :vrf_id)
    OR EXISTS (SELECT FROM unknown_attachments WHERE vrf_id = :vrf_id)
""")
_AWAITED = statements.Statement("""
SELECT node, cluster, network, count(*) OVER () AS count FROM awaited_lists
WHERE vrf_id = :vrf_id ORDER BY node, cluster, network LIMIT :limit
""")
_UNKNOWN = statements.Statement("""
SELECT node, cluster, network, container_id, interface, count(*) OVER () AS count
FROM unknown_attachments WHERE vrf_id = :vrf_id
ORDER BY node, cluster, network, container_id, interface LIMIT :limit
""")
_RENEW = statements.Statement("UPDATE vrfs SET epoch = gen_random_uuid() WHERE vrf_id = :vrf_id")


def begun(connection: sa.Connection, vrf_id: int) -> tuple[Quarantine, ...]:
    """Why a VRF is in quarantine, if it is."""
    return tuple(map(_quarantine, _BEGUN.rows(connection, {"vrf_id": vrf_id})))


def begun_anywhere(connection: sa.Connection) -> list[tuple[str, Quarantine]]:
    """Every VRF in quarantine, and why."""
    return [(row.name, _quarantine(row)) for row in _BEGUN_ANYWHERE.rows(connection)]


def begin(
    connection: sa.Connection,
    vrf_id: int,
    cause: Cause,
    message: str,
    *,
    findings: Sequence[str] = (),
) -> None:
    """Nothing new is assigned any more; where lists are to be awaited, all of them are.

    Then cursors and positions are of another history from now on, too.
    """
    parameters = {
        "vrf_id": vrf_id,
        "cause": cause.value,
        "message": message,
        "findings": arrays.texts(findings),
        "tick": ticks.read(connection),
    }
    _BEGIN.run(connection, parameters)
    if cause.awaits_lists:
        _forget(connection, vrf_id)
        _AWAIT.run(connection, {"vrf_id": vrf_id})
        _RENEW.run(connection, {"vrf_id": vrf_id})


def let_pass(connection: sa.Connection, vrf_id: int) -> set[str]:
    """What was found in a VRF, and was assigned in spite of."""
    return set(_LET_PASS.values(connection, {"vrf_id": vrf_id}))


def mended(connection: sa.Connection, still: Mapping[str, Sequence[str]]) -> None:
    """By VRF, what is still found of all that there was; the rest is not let pass any more."""
    pairs = [(vrf, each) for vrf, found in still.items() for each in found]
    parameters = {
        "vrfs": arrays.texts(vrf for vrf, _ in pairs),
        "found": arrays.texts(each for _, each in pairs),
    }
    _MENDED.run(connection, parameters)


def end(
    connection: sa.Connection, vrf_id: int, causes: Collection[Cause], *, reason: str, by: str
) -> None:
    """Ends what has begun for these causes."""
    parameters = {
        "vrf_id": vrf_id,
        "causes": arrays.texts(each.value for each in causes),
        "reason": reason,
        "by": by,
    }
    _END.run(connection, parameters)
    if any(each.awaits_lists for each in causes):
        _forget(connection, vrf_id)


def unknown(
    connection: sa.Connection, vrf_id: int, listed: Collection[model.AttachmentKey]
) -> list[model.AttachmentKey]:
    """Which attachments hold nothing, in order."""
    by_uid = {key.uid(vrf_id): key for key in listed}
    parameters = {"uids": arrays.texts(map(str, by_uid)), "vrf_id": vrf_id}
    held = set(_HELD.values(connection, parameters))
    missing = [key for uid, key in by_uid.items() if uid not in held]
    return sorted(missing, key=lambda key: (key.network, key.container_id, key.interface))


def name(
    connection: sa.Connection,
    vrf_id: int,
    request: ReconcileRequest,
    found: Collection[model.AttachmentKey],
) -> None:
    """A node names these, which nobody holds, and none of those that it has named before."""
    of = {"vrf_id": vrf_id, "node": request.node, "cluster": request.cluster}
    _FORGET_NAMED.run(connection, {**of, "network": request.network})
    parameters = {
        **of,
        "networks": arrays.texts(key.network for key in found),
        "container_ids": arrays.texts(key.container_id for key in found),
        "interfaces": arrays.texts(key.interface for key in found),
    }
    _NAME.run(connection, parameters)


def heard(connection: sa.Connection, vrf_id: int, request: ReconcileRequest) -> None:
    """The list of a node has come."""
    parameters = {
        "vrf_id": vrf_id,
        "node": request.node,
        "cluster": request.cluster,
        "network": request.network,
    }
    _HEARD.run(connection, parameters)


def is_awaiting(connection: sa.Connection, vrf_id: int) -> bool:
    """Whether a list is missing, or names what nobody holds."""
    return bool(_IS_AWAITED.value(connection, {"vrf_id": vrf_id}))


def report(connection: sa.Connection, vrf_id: int, vrf: str, *, limit: int) -> Report:
    """Why a VRF is in quarantine, and what it waits for, so much of each."""
    parameters = {"vrf_id": vrf_id, "limit": limit}
    awaited = _AWAITED.rows(connection, parameters)
    named = _UNKNOWN.rows(connection, parameters)
    return Report(
        quarantines=begun(connection, vrf_id),
        awaited=tuple(
            AwaitedList(node=row.node, cluster=row.cluster, network=row.network) for row in awaited
        ),
        awaited_count=awaited[0].count if awaited else 0,
        unknown=tuple(_unknown(row, vrf) for row in named),
        unknown_count=named[0].count if named else 0,
    )


def _forget(connection: sa.Connection, vrf_id: int) -> None:
    _FORGET_AWAITED.run(connection, {"vrf_id": vrf_id})
    _FORGET_UNKNOWN.run(connection, {"vrf_id": vrf_id})


def _quarantine(row: Any) -> Quarantine:  # noqa: ANN401  # as the rows of `statements`
    return Quarantine(
        cause=Cause(row.cause),
        message=row.message,
        begin_time=row.begin_time,
        begin_tick=row.begin_tick,
    )


def _unknown(row: Any, vrf: str) -> UnknownAttachment:  # noqa: ANN401  # as the rows of `statements`
    key = model.AttachmentKey(
        vrf=vrf, network=row.network, container_id=row.container_id, interface=row.interface
    )
    return UnknownAttachment(node=row.node, cluster=row.cluster, attachment=key)
