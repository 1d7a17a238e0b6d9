"""Rows of attachments: locking them, reading what they hold, writing what became of them.

Locked first on every path. The lock is a transaction-level advisory one on the
attachment's key, because there may be no row yet to lock: an assign and a release
of one attachment never run at the same time, whichever replica has them. Where an
assign is for a pod, the lock of the pod's interface comes before it, see `sandboxes`.
"""

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence

import sqlalchemy as sa

from moorage_server.domain import identity, model
from moorage_server.storage import allocations, arrays, locks, statements

# FOR UPDATE although the advisory lock is held: a transaction that writes nothing
# commits without waiting for the disk or the standby, and a repeated assign must
# not be acknowledged before the first one is durable.
_RECORDS = statements.Statement("""
SELECT a.uid, a.boot_id, a.boot_time_ns, a.network, a.container_id, a.interface, a.node,
    a.namespace, a.pod, a.pod_uid, a.cluster, a.owner_key, a.sticky_seconds, a.use, a.labels,
    l.address, l.generation, l.block, l.assign_time, l.yielded, l.suspect_tick
FROM attachments a LEFT JOIN allocations l ON l.attachment_uid = a.uid
WHERE a.uid = ANY (CAST(:uids AS uuid[]))
ORDER BY a.uid, l.position
FOR UPDATE OF a
""")

# What is known of an attachment that holds addresses, as arrays; see `holdings` for the rest.
NEW_COLUMNS = """uid, network, container_id, interface, boot_id, boot_time_ns, node, namespace, pod,
    pod_uid, cluster, owner_key, sticky_seconds, use, labels"""
NEW_ARRAYS = """CAST(:uids AS uuid[]), CAST(:networks AS text[]), CAST(:container_ids AS text[]),
    CAST(:interfaces AS text[]), CAST(:boot_ids AS text[]), CAST(:boot_times AS bigint[]),
    CAST(:nodes AS text[]), CAST(:namespaces AS text[]), CAST(:pods AS text[]),
    CAST(:pod_uids AS text[]), CAST(:clusters AS text[]), CAST(:owner_keys AS text[]),
    CAST(:stickies AS int[]), CAST(:uses AS text[]), CAST(:labels AS jsonb[])"""
_HOLD_NEW = """
INSERT INTO attachments (vrf_id, state, assign_boot_id, assign_boot_time_ns, {columns})
SELECT :vrf_id, 'HELD', boot_id, boot_time_ns, {columns} FROM {new}
ON CONFLICT (uid, vrf_id) DO UPDATE SET state = 'HELD',
    boot_id = excluded.boot_id, boot_time_ns = excluded.boot_time_ns,
    assign_boot_id = excluded.boot_id, assign_boot_time_ns = excluded.boot_time_ns,
    node = excluded.node, namespace = excluded.namespace, pod = excluded.pod,
    pod_uid = excluded.pod_uid, cluster = excluded.cluster, owner_key = excluded.owner_key,
    sticky_seconds = excluded.sticky_seconds, use = excluded.use, labels = excluded.labels,
    change_time = clock_timestamp()
"""


def holding(new: str) -> str:
    """A statement by which rows that have `NEW_COLUMNS` hold addresses from now on."""
    return _HOLD_NEW.format(columns=NEW_COLUMNS, new=new)


_HOLD = statements.Statement(holding(f"unnest({NEW_ARRAYS}) AS new ({NEW_COLUMNS})"))

_MARK = statements.Statement("""
INSERT INTO attachments AS a (vrf_id, uid, network, container_id, interface, state, boot_id,
    boot_time_ns, use)
SELECT :vrf_id, uid, network, container_id, interface, state, boot_id, boot_time_ns, 'WORKLOAD'
FROM unnest(CAST(:uids AS uuid[]), CAST(:networks AS text[]),
    CAST(:container_ids AS text[]), CAST(:interfaces AS text[]), CAST(:states AS text[]),
    CAST(:boot_ids AS text[]), CAST(:boot_times AS bigint[]))
    AS new (uid, network, container_id, interface, state, boot_id, boot_time_ns)
ON CONFLICT (uid, vrf_id) DO UPDATE SET state = excluded.state, boot_id = excluded.boot_id,
    boot_time_ns = excluded.boot_time_ns, change_time = clock_timestamp(),
    assign_boot_id = CASE excluded.state WHEN 'HELD' THEN excluded.boot_id
        ELSE a.assign_boot_id END,
    assign_boot_time_ns = CASE excluded.state WHEN 'HELD' THEN excluded.boot_time_ns
        ELSE a.assign_boot_time_ns END
""")


# Skipping what is locked: an assign that runs into its tombstone holds it.
_FORGET = statements.Statement("""
DELETE FROM attachments WHERE (uid, vrf_id) IN (
    SELECT uid, vrf_id FROM attachments WHERE state = 'RELEASED'
        AND change_time < now() - make_interval(secs => :seconds)
    ORDER BY change_time LIMIT :limit FOR UPDATE SKIP LOCKED)
""")


_Lockable = str | model.PodInterface | model.AttachmentKey  # a VRF's name is a text
_NO_SANDBOXES: Mapping[model.AttachmentKey, model.PodInterface] = {}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What is remembered of an attachment besides a new holding.

    A tombstone, or the newer stamp of what is `held` already.
    """

    key: model.AttachmentKey
    stamp: model.AttemptStamp | None
    held: bool


def lock(
    connection: sa.Connection,
    keys: Sequence[model.AttachmentKey],
    *,
    sandboxes: Mapping[model.AttachmentKey, model.PodInterface] = _NO_SANDBOXES,
    waiting: bool,
) -> set[model.AttachmentKey]:
    """Locks attachments until the transaction ends; returns those that are locked now.

    Their VRFs stay as they are until then, and nobody else makes a sandbox for the
    interfaces of pods that `sandboxes` has for them. Without `waiting` it leaves out
    those that another transaction works on, and all of a VRF that is being changed.
    """
    had = locks.take_each(connection, _lockable(keys, sandboxes.values()), waiting=waiting)
    return {key for key in keys if {key, key.vrf, sandboxes.get(key, key)} <= had}


def forget(connection: sa.Connection, *, seconds: float, limit: int) -> int:
    """Deletes the oldest tombstones of at least this age; returns how many."""
    return _FORGET.run(connection, {"seconds": seconds, "limit": limit})


def _lockable(
    keys: Iterable[model.AttachmentKey], interfaces: Iterable[model.PodInterface]
) -> dict[_Lockable, tuple[locks.Class, int]]:
    """What is to be locked, in this order, each with its lock.

    The VRFs first, shared: whoever changes one waits for those who decide by what it was. Then the
    interfaces of pods, so that of the assigns of a pod's sandboxes one is decided after the other,
    each seeing what the last one came to; then the attachments.
    """
    pods = sorted(set(interfaces), key=_interface_number)
    return {
        **{each: (locks.Class.VRF, locks.number(each)) for each in sorted({k.vrf for k in keys})},
        **{each: (locks.Class.POD_INTERFACE, _interface_number(each)) for each in pods},
        **{each: (locks.Class.ATTACHMENT, lock_number(each)) for each in keys},
    }


def _interface_number(of: model.PodInterface) -> int:
    return locks.number(f"{of.vrf}/{of.network}/{of.interface}/{of.node}/{of.pod_uid}")


def lock_number(key: model.AttachmentKey) -> int:
    """The number of an attachment's lock."""
    return locks.number(f"{key.vrf}/{key.network}/{key.container_id}/{key.interface}")


def records(
    connection: sa.Connection, vrf_id: int, keys: Collection[model.AttachmentKey]
) -> dict[model.AttachmentKey, identity.Record]:
    """What is remembered of attachments of one VRF, with their rows locked."""
    by_uid = {key.uid(vrf_id): key for key in keys}
    rows = _RECORDS.rows(connection, {"uids": arrays.texts(map(str, by_uid))})
    found: dict[model.AttachmentKey, identity.Record] = {}
    for row in rows:
        key = by_uid[row.uid]
        held = found[key].allocations if key in found else ()
        if row.address is not None:
            held = (*held, allocations.allocation(row, key.vrf))
        found[key] = identity.Record(stamp=stamp(row), allocations=held)
    return found


def hold(
    connection: sa.Connection, vrf_id: int, facts: Mapping[model.AttachmentKey, model.Facts]
) -> None:
    """Writes attachments that are to hold addresses, and of whose attempt nothing is known."""
    _HOLD.run(connection, new_columns(vrf_id, [(key, its, None) for key, its in facts.items()]))


def new_columns(
    vrf_id: int,
    rows: Sequence[tuple[model.AttachmentKey, model.Facts, model.AttemptStamp | None]],
) -> dict[str, object]:
    """The parameters of `NEW_ARRAYS`."""
    return {
        **_key_columns(vrf_id, [key for key, _, _ in rows]),
        **_stamp_columns([stamp for _, _, stamp in rows]),
        **arrays.facts([facts for _, facts, _ in rows]),
    }


def mark(connection: sa.Connection, vrf_id: int, marks: Sequence[Mark]) -> None:
    """Writes what is remembered of attachments that are granted nothing."""
    parameters = {
        **_key_columns(vrf_id, [each.key for each in marks]),
        **_stamp_columns([each.stamp for each in marks]),
        "states": arrays.texts("HELD" if each.held else "RELEASED" for each in marks),
    }
    _MARK.run(connection, parameters)


def _key_columns(vrf_id: int, keys: Sequence[model.AttachmentKey]) -> dict[str, object]:
    return {
        "vrf_id": vrf_id,
        "uids": arrays.texts(str(key.uid(vrf_id)) for key in keys),
        "networks": arrays.texts(key.network for key in keys),
        "container_ids": arrays.texts(key.container_id for key in keys),
        "interfaces": arrays.texts(key.interface for key in keys),
    }


def _stamp_columns(stamps: Sequence[model.AttemptStamp | None]) -> dict[str, str]:
    return {
        "boot_ids": arrays.texts(stamp.boot_id if stamp else None for stamp in stamps),
        "boot_times": arrays.numbers(stamp.boot_time_ns if stamp else None for stamp in stamps),
    }


def stamp(row: arrays.Row) -> model.AttemptStamp | None:
    """The stamp in a row."""
    if row.boot_id is None:
        return None
    return model.AttemptStamp(boot_id=row.boot_id, boot_time_ns=row.boot_time_ns)
