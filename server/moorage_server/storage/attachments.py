"""Rows of attachments: locking them, reading what they hold, writing what became of them.

Locked first on every path. The lock is a transaction-level advisory one on the
attachment's key, because there may be no row yet to lock: an assign and a release
of one attachment never run at the same time, whichever replica has them.
"""

import dataclasses
import uuid
from collections.abc import Sequence

import sqlalchemy as sa

from moorage_server.domain import identity, model
from moorage_server.storage import allocations, arrays

# Class of advisory locks; registered here alone.
ATTACHMENT_LOCK = 1

_TRY_LOCK = sa.text("""
SELECT pg_try_advisory_xact_lock(:lock_class, hashtext(key))
FROM unnest(CAST(:keys AS text[])) WITH ORDINALITY AS wanted (key, at) ORDER BY at
""")
_LOCK = sa.text("""
SELECT pg_advisory_xact_lock(:lock_class, hashtext(key))
FROM unnest(CAST(:keys AS text[])) WITH ORDINALITY AS wanted (key, at) ORDER BY at
""")

# FOR UPDATE although the advisory lock is held: a transaction that writes nothing
# commits without waiting for the disk or the standby, and a repeated assign must
# not be acknowledged before the first one is durable.
_RECORDS = sa.text(f"""
SELECT a.boot_id, a.boot_time_ns, {allocations.COLUMNS}
FROM unnest(CAST(:vrfs AS text[]), CAST(:networks AS text[]), CAST(:container_ids AS text[]),
            CAST(:interfaces AS text[])) AS wanted (vrf, network, container_id, interface)
JOIN vrfs v ON v.name = wanted.vrf
JOIN attachments a ON (a.vrf_id, a.network, a.container_id, a.interface)
    = (v.vrf_id, wanted.network, wanted.container_id, wanted.interface)
LEFT JOIN allocations l ON l.vrf_id = a.vrf_id AND l.attachment_uid = a.uid
LEFT JOIN blocks b ON b.vrf_id = l.vrf_id AND b.cidr = l.block
LEFT JOIN pools p ON p.vrf_id = b.vrf_id AND p.pool_id = b.pool_id
ORDER BY a.vrf_id, a.uid, l.position
FOR UPDATE OF a
""")  # noqa: S608  # a constant list of columns

_HOLD = sa.text("""
INSERT INTO attachments AS a (vrf_id, uid, network, container_id, interface, state, boot_id,
    boot_time_ns, node, namespace, pod, pod_uid, owner_key, use, labels)
SELECT vrf_id, uid, network, container_id, interface, 'HELD', boot_id,
    boot_time_ns, node, namespace, pod, pod_uid, owner_key, use, labels
FROM unnest(CAST(:vrf_ids AS int[]), CAST(:uids AS uuid[]), CAST(:networks AS text[]),
    CAST(:container_ids AS text[]), CAST(:interfaces AS text[]), CAST(:boot_ids AS text[]),
    CAST(:boot_times AS bigint[]), CAST(:nodes AS text[]), CAST(:namespaces AS text[]),
    CAST(:pods AS text[]), CAST(:pod_uids AS text[]), CAST(:owner_keys AS text[]),
    CAST(:uses AS text[]), CAST(:labels AS jsonb[])) AS new (vrf_id, uid, network, container_id,
    interface, boot_id, boot_time_ns, node, namespace, pod, pod_uid, owner_key, use, labels)
ON CONFLICT (vrf_id, uid) DO UPDATE SET state = 'HELD',
    boot_id = excluded.boot_id, boot_time_ns = excluded.boot_time_ns, node = excluded.node,
    namespace = excluded.namespace, pod = excluded.pod, pod_uid = excluded.pod_uid,
    owner_key = excluded.owner_key, use = excluded.use, labels = excluded.labels,
    change_time = clock_timestamp()
""")

_MARK = sa.text("""
INSERT INTO attachments AS a (vrf_id, uid, network, container_id, interface, state, boot_id,
    boot_time_ns, use)
SELECT vrf_id, uid, network, container_id, interface, state, boot_id, boot_time_ns, 'WORKLOAD'
FROM unnest(CAST(:vrf_ids AS int[]), CAST(:uids AS uuid[]), CAST(:networks AS text[]),
    CAST(:container_ids AS text[]), CAST(:interfaces AS text[]), CAST(:states AS text[]),
    CAST(:boot_ids AS text[]), CAST(:boot_times AS bigint[]))
    AS new (vrf_id, uid, network, container_id, interface, state, boot_id, boot_time_ns)
ON CONFLICT (vrf_id, uid) DO UPDATE SET state = excluded.state, boot_id = excluded.boot_id,
    boot_time_ns = excluded.boot_time_ns, change_time = clock_timestamp()
""")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A new holding to be written."""

    vrf_id: int
    uid: uuid.UUID
    request: model.AssignRequest


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What a release leaves: a tombstone, or a holding with fewer addresses."""

    vrf_id: int
    uid: uuid.UUID
    key: model.AttachmentKey
    stamp: model.AttemptStamp | None
    still_held: bool


def lock(
    connection: sa.Connection, keys: Sequence[model.AttachmentKey], *, waiting: bool
) -> set[model.AttachmentKey]:
    """Locks attachments until the transaction ends; returns those that are locked now.

    Without `waiting` it leaves out those that another transaction works on.
    """
    parameters = {
        "lock_class": ATTACHMENT_LOCK,
        "keys": [f"{key.vrf}/{key}" for key in keys],
    }
    if waiting:
        connection.execute(_LOCK, parameters)
        return set(keys)
    locked = connection.execute(_TRY_LOCK, parameters).scalars()
    return {key for key, got in zip(keys, locked, strict=True) if got}


def records(
    connection: sa.Connection, keys: Sequence[model.AttachmentKey]
) -> dict[model.AttachmentKey, identity.Record]:
    """What is remembered of each attachment, with its row locked."""
    rows = connection.execute(_RECORDS, _key_columns(keys)).all()
    found: dict[model.AttachmentKey, identity.Record] = {}
    for row in rows:
        key = allocations.attachment_key(row)
        known = found.get(key)
        held = known.allocations if known else ()
        if row.address is not None:
            held = (*held, allocations.allocation(row))
        found[key] = identity.Record(uid=row.uid, stamp=_stamp(row), allocations=held)
    return found


def hold(connection: sa.Connection, holds: Sequence[Hold]) -> None:
    """Writes attachments that hold addresses from now on."""
    requests = [each.request for each in holds]
    keys = [each.attachment for each in requests]
    workloads = [each.workload for each in requests]
    connection.execute(
        _HOLD,
        {
            **_key_columns(keys),
            "vrf_ids": [each.vrf_id for each in holds],
            **_stamp_columns([each.attempt for each in requests]),
            "uids": [each.uid for each in holds],
            "nodes": [each.node for each in workloads],
            "namespaces": [each.namespace for each in workloads],
            "pods": [each.pod for each in workloads],
            "pod_uids": [each.pod_uid for each in workloads],
            "owner_keys": [each.owner_key for each in requests],
            "uses": [each.use.value for each in requests],
            "labels": [arrays.json_text(each.labels) for each in requests],
        },
    )


def mark(connection: sa.Connection, marks: Sequence[Mark]) -> None:
    """Writes what releases leave of attachments."""
    keys = [each.key for each in marks]
    connection.execute(
        _MARK,
        {
            **_key_columns(keys),
            "vrf_ids": [each.vrf_id for each in marks],
            **_stamp_columns([each.stamp for each in marks]),
            "uids": [each.uid for each in marks],
            "states": ["HELD" if each.still_held else "RELEASED" for each in marks],
        },
    )


def _key_columns(keys: Sequence[model.AttachmentKey]) -> dict[str, list[str]]:
    return {
        "vrfs": [key.vrf for key in keys],
        "networks": [key.network for key in keys],
        "container_ids": [key.container_id for key in keys],
        "interfaces": [key.interface for key in keys],
    }


def _stamp_columns(
    stamps: Sequence[model.AttemptStamp | None],
) -> dict[str, list[str | None] | list[int | None]]:
    return {
        "boot_ids": [stamp.boot_id if stamp else None for stamp in stamps],
        "boot_times": [stamp.boot_time_ns if stamp else None for stamp in stamps],
    }


def _stamp(row: arrays.Row) -> model.AttemptStamp | None:
    if row.boot_id is None:
        return None
    return model.AttemptStamp(boot_id=row.boot_id, boot_time_ns=row.boot_time_ns)
