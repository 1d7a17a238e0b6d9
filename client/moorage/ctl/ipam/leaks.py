"""Which addresses are leaked: held for pods that do not have them.

What is not understood is not leaked. Pure: what the pods are is read in `moorage.ctl.ipam.pods`.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from moorage.ctl.import_ import holders
from moorage.ctl.ipam import pods
from moorage.v1 import resources_pb2

RULE = "leaked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """A leaked address, and what its pod says to the contrary."""

    allocation: resources_pb2.Allocation
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The leaked addresses, and how many were not judged: of no pod, too young, elsewhere's."""

    leaks: Sequence[Leak]
    not_judged_count: int
    young_count: int = 0
    elsewhere_count: int = 0


def judge(
    allocations: Sequence[resources_pb2.Allocation],
    known: Mapping[pods.Key, pods.Pod],
    *,
    assigned_before: float = math.inf,
) -> Judgement:
    """Judge what was assigned before a time, in seconds since the epoch.

    Of an attachment that has a valid address, none is leaked: all or nothing, because an address of
    a second family may never show in the status of a pod. An address that any pod shows which has
    not ended is valid, whatever pod it was assigned for: that of a virtual machine moves on with it
    from one pod to the next.
    """
    young = [each for each in allocations if each.assign_time.ToSeconds() >= assigned_before]
    settled = [each for each in allocations if each.assign_time.ToSeconds() < assigned_before]
    shown = {a for pod in known.values() if not pod.finished for a in pod.addresses}
    reasons = [(each, _reason(each, known, shown)) for each in settled]
    valid = {attachment_key(each) for each, reason in reasons if not reason}
    return Judgement(
        leaks=[
            Leak(allocation=each, reason=reason)
            for each, reason in reasons
            if reason and attachment_key(each) not in valid
        ],
        not_judged_count=sum(not names_pod(each) for each in allocations),
        young_count=sum(map(names_pod, young)),
    )


def attachment_key(allocation: resources_pb2.Allocation) -> tuple[str, str, str]:
    """Return who holds an address, for use as a key."""
    attachment = allocation.attachment
    return attachment.network, attachment.container_id, attachment.interface


def names_pod(allocation: resources_pb2.Allocation) -> bool:
    """Whether an address lives and ends with a pod, and says with which."""
    workload = allocation.workload
    if holders.is_adopted_without_sandbox(allocation.attachment.network):
        return False
    is_workload = allocation.use == resources_pb2.USE_WORKLOAD
    return is_workload and bool(workload.namespace and workload.pod)


def _reason(
    allocation: resources_pb2.Allocation,
    known: Mapping[pods.Key, pods.Pod],
    shown: Collection[pods.Address],
) -> str:
    """Return why an address is not its pod's; empty where it is, or where nobody can say."""
    if not names_pod(allocation) or ipaddress.ip_address(allocation.address) in shown:
        return ""
    workload = allocation.workload
    pod = known.get((workload.namespace, workload.pod))
    if pod is None:
        return "the pod is not there"
    if pod.node and workload.node and pod.node != workload.node:
        return f"the pod is on node {pod.node}"
    if pod.finished:
        return f"the pod has ended: {pod.phase}"
    if pod.shows_all:
        return f"the pod has other addresses: {', '.join(sorted(map(str, pod.addresses)))}"
    return ""
