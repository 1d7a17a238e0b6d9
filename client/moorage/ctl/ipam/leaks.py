"""Which addresses are leaked: held for pods that do not have them.

What is not understood is not leaked. Pure: what the pods are is read in `moorage.ctl.ipam.pods`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

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
    """The leaked addresses, and how many were not judged because they name no pod."""

    leaks: Sequence[Leak]
    not_judged_count: int


def judge(
    allocations: Sequence[resources_pb2.Allocation], known: Mapping[pods.Key, pods.Pod]
) -> Judgement:
    """Judge every allocation; of an attachment that has a valid address, none is leaked.

    All or nothing, because an address of a second family may never show in the status of a pod.
    """
    reasons = [(each, _reason(each, known)) for each in allocations]
    valid = {attachment_key(each) for each, reason in reasons if not reason}
    return Judgement(
        leaks=[
            Leak(allocation=each, reason=reason)
            for each, reason in reasons
            if reason and attachment_key(each) not in valid
        ],
        not_judged_count=_count_not_judged(allocations),
    )


def attachment_key(allocation: resources_pb2.Allocation) -> tuple[str, str, str]:
    """Return who holds an address, for use as a key."""
    attachment = allocation.attachment
    return attachment.network, attachment.container_id, attachment.interface


def _count_not_judged(allocations: Iterable[resources_pb2.Allocation]) -> int:
    return sum(not _names_pod(each) for each in allocations)


def _names_pod(allocation: resources_pb2.Allocation) -> bool:
    workload = allocation.workload
    is_workload = allocation.use == resources_pb2.USE_WORKLOAD
    return is_workload and bool(workload.namespace and workload.pod)


def _reason(allocation: resources_pb2.Allocation, known: Mapping[pods.Key, pods.Pod]) -> str:
    """Return why an address is not its pod's; empty where it is, or where nobody can say."""
    if not _names_pod(allocation):
        return ""
    workload = allocation.workload
    pod = known.get((workload.namespace, workload.pod))
    if pod is None:
        return "the pod is not there"
    if pod.node and workload.node and pod.node != workload.node:
        return f"the pod is on node {pod.node}"
    if pod.finished:
        return f"the pod has ended: {pod.phase}"
    if pod.addresses and ipaddress.ip_address(allocation.address) not in pod.addresses:
        return f"the pod has other addresses: {', '.join(sorted(map(str, pod.addresses)))}"
    return ""
