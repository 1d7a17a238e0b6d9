"""What a node holds, attachment by attachment."""

import sqlalchemy as sa

from moorage_server.domain import identity, model
from moorage_server.storage import allocations, attachments

_OF_NODE = sa.text("""
SELECT a.uid, a.boot_id, a.boot_time_ns, a.network, a.container_id, a.interface, a.node,
    a.namespace, a.pod, a.pod_uid, a.cluster, a.owner_key, a.sticky_seconds, a.use, a.labels,
    l.address, l.generation, l.block, l.assign_time, l.yielded, l.suspect_tick
FROM attachments a JOIN allocations l ON l.attachment_uid = a.uid
WHERE a.node = :node AND a.node <> '' AND a.state = 'HELD' AND a.vrf_id = :vrf_id
    AND (:network = '' OR a.network = :network)
ORDER BY a.uid, l.position
""")


def of_node(
    connection: sa.Connection, vrf_id: int, vrf: str, node: str, *, network: str
) -> dict[model.AttachmentKey, identity.Record]:
    """The attachments of a node that hold something, of one network or of every one.

    Nothing is locked: each may have changed by the time it is looked at.
    """
    parameters = {"vrf_id": vrf_id, "node": node, "network": network}
    found: dict[model.AttachmentKey, identity.Record] = {}
    for row in connection.execute(_OF_NODE, parameters).all():
        held = allocations.allocation(row, vrf)
        before = found[held.attachment].allocations if held.attachment in found else ()
        found[held.attachment] = identity.Record(
            stamp=attachments.stamp(row), allocations=(*before, held)
        )
    return found
