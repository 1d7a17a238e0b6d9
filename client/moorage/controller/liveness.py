"""Which attachments the pods of a cluster still have. Pure; when in doubt, they have it."""

from __future__ import annotations

from collections.abc import Iterable

from moorage.controller import pods
from moorage.ctl.import_ import holders
from moorage.v1 import resources_pb2

Key = tuple[str, str, str]  # network, container id, interface


def key(attachment: resources_pb2.Attachment) -> Key:
    """Return an attachment as a key."""
    return attachment.network, attachment.container_id, attachment.interface


def live(allocations: Iterable[resources_pb2.Allocation], known: pods.Pods) -> set[Key]:
    """Return the attachments that are live: of each, one address is enough."""
    return {key(each.attachment) for each in allocations if is_live(each, known)}


def is_live(allocation: resources_pb2.Allocation, known: pods.Pods) -> bool:
    """Whether the pod that an address was assigned for still has it.

    Where it runs does not matter: the node may be recorded wrongly, and the pod is there.
    """
    workload = allocation.workload
    named = known.by_name.get((workload.namespace, workload.pod))
    if not is_of_pod(allocation):
        return True
    if not workload.pod_uid:
        return named is not None and named.has_addresses
    pod = known.by_uid.get(workload.pod_uid)
    if pod is None and named is not None and named.is_mirror:
        # A static pod, whose uid the API does not show.
        pod = named
    return pod is not None and pod.has_addresses


def is_of_pod(allocation: resources_pb2.Allocation) -> bool:
    """Whether an address lives and ends with a pod, and says with which."""
    workload = allocation.workload
    if allocation.use != resources_pb2.USE_WORKLOAD:
        return False
    if holders.is_adopted_without_sandbox(allocation.attachment.network):
        return False
    return bool(workload.pod_uid or (workload.namespace and workload.pod))
