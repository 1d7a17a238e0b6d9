"""The other sandboxes of a pod: found, locked and read for the assign of a new one.

Where all locks are waited for, this is how assigns and releases of one pod go past
each other: an assign holds the lock of its pod's interface, then that of its own
attachment, and waits for those of its siblings. No other assign of the same interface
holds any of these, because it waits for the first. A release holds its own
attachment's and waits for blocks only, of which the assign has none yet. So none waits
for one that waits for it, except where a caller says now this pod, now that of one
container: then PostgreSQL ends one of the two, and it is run again.
"""

import dataclasses
from collections.abc import Collection, Iterable, Mapping

import sqlalchemy as sa

from moorage_server.domain import identity, model, succession
from moorage_server.storage import allocations, arrays, attachments, statements

# By the index of pod uids, which holds no row without one. Not by the VRF, of which other indexes
# have all rows: for uids of a whole batch, these can seem fewer (decision 5).
_SIBLINGS = statements.Statement("""
SELECT network, container_id, interface, node, pod_uid, cluster, state = 'HELD' AS is_held,
    assign_boot_id AS boot_id, assign_boot_time_ns AS boot_time_ns
FROM attachments
WHERE pod_uid = ANY (CAST(:pod_uids AS text[])) AND pod_uid <> '' AND vrf_id + 0 = :vrf_id
ORDER BY assign_boot_time_ns DESC NULLS LAST
""")

Pods = Mapping[model.AttachmentKey, model.PodInterface]
Siblings = dict[model.AttachmentKey, succession.Siblings]


def of(requests: Iterable[model.AssignRequest | model.ReleaseRequest]) -> Pods:
    """Which attachments are to be a sandbox of which pod's interface."""
    named = {
        each.attachment: each.pod_interface
        for each in requests
        if isinstance(each, model.AssignRequest)
    }
    return {key: pod for key, pod in named.items() if pod is not None}


def behind_others(pods: Pods) -> set[model.AttachmentKey]:
    """All sandboxes of an interface but one: the next does not see what that one comes to."""
    first: dict[model.PodInterface, model.AttachmentKey] = {}
    for key, pod in pods.items():
        first.setdefault(pod, key)
    return {key for key, pod in pods.items() if first[pod] != key}


def siblings(
    connection: sa.Connection,
    vrf_id: int,
    pods: Pods,
    *,
    busy: Collection[model.AttachmentKey],
    waiting: bool,
) -> Siblings:
    """The siblings of locked attachments of one VRF, those that hold addresses locked as well.

    Left out are those with a sibling that another transaction works on, or this one:
    the `busy` ones are subjects of its own requests.
    """
    if not pods:
        return {}
    found, holding = _found(connection, vrf_id, pods)
    wanted = sorted(holding - set(busy), key=attachments.lock_number)
    locked = attachments.lock(connection, wanted, waiting=waiting) if wanted else set()
    # A statement of its own, after the locks: what they hold now, they hold until the end.
    records = attachments.records(connection, vrf_id, locked) if locked else {}
    unlocked = holding - locked
    return {
        key: tuple(_with_record(each, records) for each in others)
        for key, others in found.items()
        if not any(each.attachment in unlocked for each in others)
    }


def _found(
    connection: sa.Connection, vrf_id: int, pods: Pods
) -> tuple[Siblings, set[model.AttachmentKey]]:
    """The siblings of each attachment, and which of them all hold addresses."""
    pod_uids = arrays.texts({each.pod_uid for each in pods.values()})
    keys: dict[model.PodInterface | None, model.AttachmentKey] = {
        pod: key for key, pod in pods.items()
    }
    vrf = next(iter(pods)).vrf
    found: Siblings = dict.fromkeys(pods, ())
    holding: set[model.AttachmentKey] = set()
    for row in _SIBLINGS.rows(connection, {"vrf_id": vrf_id, "pod_uids": pod_uids}):
        sibling = allocations.attachment_key(row, vrf)
        workload = model.Workload(node=row.node, pod_uid=row.pod_uid)
        key = keys.get(model.PodInterface.of(sibling, workload))
        if key is not None and key != sibling and pods[key].is_of(row.cluster):
            found[key] += (succession.Sibling(attachment=sibling, stamp=attachments.stamp(row)),)
            holding |= {sibling} if row.is_held else set()
    return found, holding


def _with_record(
    sibling: succession.Sibling, records: Mapping[model.AttachmentKey, identity.Record]
) -> succession.Sibling:
    record = records.get(sibling.attachment)
    return dataclasses.replace(sibling, allocations=record.allocations) if record else sibling
