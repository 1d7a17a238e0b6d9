"""Which columns a table has for each kind of resource."""

from collections.abc import Mapping

from google.protobuf import timestamp_pb2

from moorage import names
from moorage.ctl import kinds, specs
from moorage.v1 import resources_pb2

Shown = kinds.Resource | resources_pb2.Allocation
Cells = dict[str, str]


def cells(resource: Shown, *, wide: bool) -> Cells:
    """Return one row of a table, by column; a wide one has all columns."""
    narrow, more = _both(resource)
    return narrow | more if wide else narrow


def _both(resource: Shown) -> tuple[Cells, Cells]:
    match resource:
        case resources_pb2.Vrf():
            return _vrf(resource)
        case resources_pb2.Node():
            return _node(resource)
        case resources_pb2.Pool():
            return _pool(resource)
        case resources_pb2.Reservation():
            return _reservation(resource)
        case resources_pb2.Allocation():
            return _allocation(resource)


def _vrf(vrf: resources_pb2.Vrf) -> tuple[Cells, Cells]:
    narrow = {
        "NAME": names.id_of(vrf.name),
        "STATE": "QUARANTINED" if vrf.quarantines else "OPEN",
        "DESCRIPTION": vrf.description,
    }
    how = vrf.configuration
    return narrow, {
        "AFFINITY": "STRICT" if how.strict_affinity else "BORROWING",
        "MAX-BLOCKS": str(how.max_blocks_per_node or ""),
        "COOLDOWN": f"{how.cooldown_seconds}s",
        "GRANTS": "STRICT" if vrf.strict_namespaces else "OPEN",
        "FIXED": ",".join(each.namespace for each in vrf.fixed_address_grants),
        "NODE-QUOTA": str(vrf.quotas.addresses_per_node or ""),
        "NAMESPACE-QUOTA": str(vrf.quotas.addresses_per_namespace or ""),
        "QUOTAS": ",".join(f"{each.namespace}={each.addresses}" for each in vrf.quotas.namespaces),
        "LABELS": _labels(vrf.labels),
        "UID": vrf.uid,
        "CREATED": _time(vrf.create_time),
    }


def _node(node: resources_pb2.Node) -> tuple[Cells, Cells]:
    narrow = {"NAME": names.id_of(node.name), "LABELS": _labels(node.labels)}
    return narrow, {"CREATED": _time(node.create_time), "UPDATED": _time(node.update_time)}


def _pool(pool: resources_pb2.Pool) -> tuple[Cells, Cells]:
    narrow = {
        "NAME": names.id_of(pool.name),
        "CIDR": pool.cidr,
        "BLOCKS": f"/{pool.block_size}",
        "MODE": specs.short_name(resources_pb2.AssignmentMode.DESCRIPTOR, pool.assignment_mode),
        "STATE": state(pool),
        "NODES": pool.node_selector,
        "NAMESPACES": pool.namespace_selector,
    }
    uses = [specs.short_name(resources_pb2.Use.DESCRIPTOR, use) for use in pool.allowed_uses]
    more = {
        "USES": ",".join(uses),
        "AFFINITY": specs.short_name(resources_pb2.BlockAffinity.DESCRIPTOR, pool.block_affinity),
        "PRIORITY": str(pool.priority),
        "RESULT": specs.short_name(resources_pb2.ResultForm.DESCRIPTOR, pool.result_form),
        "GATEWAY": pool.gateway,
        "COOLDOWN": _cooldown(pool),
        "ALLOWED": ",".join(pool.allowed_namespaces),
        "FIXED": specs.short_name(resources_pb2.FixedAddresses.DESCRIPTOR, pool.fixed_addresses),
        "LABELS": _labels(pool.labels),
        "UID": pool.uid,
        "CREATED": _time(pool.create_time),
    }
    return narrow, more


def state(pool: resources_pb2.Pool) -> str:
    """Return whether it serves, in a word."""
    if pool.disabled:
        return "DISABLED"
    return "DRAINING" if pool.state == resources_pb2.POOL_STATE_DRAINING else "ENABLED"


def _cooldown(pool: resources_pb2.Pool) -> str:
    """Return the cool-down of its own, and whether it yields."""
    own = f"{pool.cooldown_seconds}s" if pool.HasField("cooldown_seconds") else ""
    yields = pool.cooldown_policy == resources_pb2.COOLDOWN_POLICY_YIELD
    return ",".join(filter(None, (own, "YIELD" * yields)))


def _reservation(reservation: resources_pb2.Reservation) -> tuple[Cells, Cells]:
    narrow = {
        "NAME": names.id_of(reservation.name),
        "CIDRS": ",".join(reservation.cidrs),
        "DESCRIPTION": reservation.description,
    }
    more = {
        "EXPIRES": _time(reservation.expire_time) if reservation.HasField("expire_time") else "",
        "OWNER": reservation.owner_key,
        "LABELS": _labels(reservation.labels),
        "UID": reservation.uid,
        "CREATED": _time(reservation.create_time),
    }
    return narrow, more


def _allocation(allocation: resources_pb2.Allocation) -> tuple[Cells, Cells]:
    workload, attachment = allocation.workload, allocation.attachment
    # The length is left out by what tells of changes.
    length = f"/{allocation.prefix_length}" if allocation.prefix_length else ""
    narrow = {
        "ADDRESS": allocation.address + length,
        "POOL": names.id_of(allocation.pool),
        "NODE": workload.node,
        "NAMESPACE": workload.namespace,
        "POD": workload.pod,
        "OWNER": allocation.owner_key,
        "ASSIGNED": _time(allocation.assign_time),
    }
    more = {
        "NETWORK": attachment.network,
        "CONTAINER": attachment.container_id,
        "INTERFACE": attachment.interface,
        "GENERATION": str(allocation.generation),
        "STICKY": f"{allocation.sticky.seconds}s" if allocation.HasField("sticky") else "",
        "BLOCK": allocation.block,
        "GATEWAY": allocation.gateway,
        "USE": specs.short_name(resources_pb2.Use.DESCRIPTOR, allocation.use),
        "POD-UID": workload.pod_uid,
        "CLUSTER": workload.cluster,
        "LABELS": _labels(allocation.labels),
    }
    return narrow, more


def _labels(labels: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def _time(time: timestamp_pb2.Timestamp) -> str:
    return time.ToDatetime().isoformat(timespec="seconds") + "Z"
