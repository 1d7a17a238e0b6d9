"""Allocations -> messages, each in the form that its pool asks for."""

from typing import Any

from moorage.v1 import reconciliation_pb2
from moorage.v1 import resources_pb2 as messages
from moorage_server.api import encode_resources, enums, names
from moorage_server.domain import catalog, model, resources, sticky


def allocation(
    shown: catalog.Shown, into: messages.Allocation | None = None
) -> messages.Allocation:
    """One allocation, written into a message where there is one already."""
    pool = shown.pool
    message = bare(shown.allocation, pool.name, into)
    message.prefix_length = _prefix_length(pool)
    if pool.gateway is not None:
        message.gateway = str(pool.gateway)
    if pool.routes:
        message.routes.extend(encode_resources.routes(pool))
    dns = encode_resources.dns(pool)
    if dns is not None:
        message.dns.CopyFrom(dns)
    return message


def bare(
    held: model.Allocation, pool: str, into: messages.Allocation | None = None
) -> messages.Allocation:
    """An allocation without the form that its pool, of this id, asks for."""
    # Field by field: messages that are put together of others are copied, by way of bytes.
    message = messages.Allocation() if into is None else into
    vrf, address, facts = held.attachment.vrf, str(held.address), held.facts
    message.name = names.child_name(vrf, names.ALLOCATIONS, address)
    message.address = address
    message.generation = held.generation
    message.pool = names.child_name(vrf, names.POOLS, pool)
    message.block = str(held.block)
    attachment(held.attachment, message.attachment)
    workload(facts.workload, message.workload)
    message.owner_key = facts.owner_key
    message.use = enums.USES.encode(facts.use)
    for key, value in facts.labels.items():
        message.labels[key] = value
    encode_resources.timestamp(held.assign_time, message.assign_time)
    if facts.sticky:
        message.sticky.seconds = facts.sticky
    message.yielded = held.yielded
    message.suspect = held.suspect_tick is not None
    return message


def position(reached: model.Position | None, message: messages.FeedPosition) -> None:
    """How far a feed has come, written into its message."""
    if reached is not None:
        message.epoch, message.revision = reached.epoch, reached.revision


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


def form(pool: resources.Pool) -> dict[str, Any]:
    """The form that a pool asks for, as fields of an allocation."""
    return {
        "prefix_length": _prefix_length(pool),
        "gateway": None if pool.gateway is None else str(pool.gateway),
        "routes": encode_resources.routes(pool),
        "dns": encode_resources.dns(pool),
    }


def _prefix_length(pool: resources.Pool) -> int:
    match pool.result_form:
        case resources.ResultForm.HOST:
            return pool.cidr.max_prefixlen
        case resources.ResultForm.BLOCK:
            return pool.block_size
        case resources.ResultForm.POOL:
            return pool.cidr.prefixlen


def attachment(
    key: model.AttachmentKey, into: messages.Attachment | None = None
) -> messages.Attachment:
    """The key of an assignment, written into a message where there is one already."""
    message = messages.Attachment() if into is None else into
    message.network = key.network
    message.container_id = key.container_id
    message.interface = key.interface
    return message


def workload(known: model.Workload, message: messages.Workload) -> None:
    """Writes whom an assignment is for."""
    message.SetInParent()  # there, also where nothing of it is known
    message.node = known.node
    message.namespace = known.namespace
    message.pod = known.pod
    message.pod_uid = known.pod_uid
    message.cluster = known.cluster
