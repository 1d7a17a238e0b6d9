"""Allocations -> messages, each in the form that its pool asks for."""

from google.protobuf import duration_pb2

from moorage.v1 import reconciliation_pb2
from moorage.v1 import resources_pb2 as messages
from moorage_server.api import encode_resources, enums, names
from moorage_server.domain import catalog, model, resources, sticky


def allocation(shown: catalog.Shown) -> messages.Allocation:
    """One allocation."""
    pool = shown.pool
    message = bare(shown.allocation, pool.name)
    message.prefix_length = _prefix_length(shown)
    message.gateway = "" if pool.gateway is None else str(pool.gateway)
    message.routes.extend(encode_resources.routes(pool))
    dns = encode_resources.dns(pool)
    if dns is not None:
        message.dns.CopyFrom(dns)
    return message


def bare(held: model.Allocation, pool: str) -> messages.Allocation:
    """An allocation without the form that its pool, of this id, asks for."""
    vrf, address = held.attachment.vrf, str(held.address)
    return messages.Allocation(
        name=names.child_name(vrf, names.ALLOCATIONS, address),
        address=address,
        generation=held.generation,
        pool=names.child_name(vrf, names.POOLS, pool),
        block=str(held.block),
        attachment=attachment(held.attachment),
        workload=workload(held.facts.workload),
        owner_key=held.facts.owner_key,
        use=enums.USES.encode(held.facts.use),
        labels=held.facts.labels,
        assign_time=encode_resources.timestamp(held.assign_time),
        sticky=duration_pb2.Duration(seconds=held.facts.sticky) if held.facts.sticky else None,
        yielded=held.yielded,
        suspect=held.suspect_tick is not None,
    )


def sticky_address(kept: sticky.StickyAddress) -> reconciliation_pb2.StickyAddress:
    """An address that is kept for its owner."""
    vrf = kept.pool.vrf
    return reconciliation_pb2.StickyAddress(
        name=names.child_name(vrf, names.STICKY_ADDRESSES, str(kept.address)),
        address=str(kept.address),
        pool=names.child_name(vrf, names.POOLS, kept.pool.name),
        owner_key=kept.owner_key,
        network=kept.network,
        interface=kept.interface,
        expire_time=encode_resources.timestamp(kept.expire_time),
    )


def _prefix_length(shown: catalog.Shown) -> int:
    match shown.pool.result_form:
        case resources.ResultForm.HOST:
            return shown.pool.cidr.max_prefixlen
        case resources.ResultForm.BLOCK:
            return shown.pool.block_size
        case resources.ResultForm.POOL:
            return shown.pool.cidr.prefixlen


def attachment(key: model.AttachmentKey) -> messages.Attachment:
    """The key of an assignment."""
    return messages.Attachment(
        network=key.network, container_id=key.container_id, interface=key.interface
    )


def workload(known: model.Workload) -> messages.Workload:
    """Whom an assignment is for."""
    return messages.Workload(
        node=known.node, namespace=known.namespace, pod=known.pod, pod_uid=known.pod_uid
    )
