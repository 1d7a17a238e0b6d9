"""Explanations -> messages: what would be assigned, or why not, and every pool considered."""

from moorage.v1 import allocation_service_pb2 as messages
from moorage.v1 import error_reason_pb2, reconciliation_pb2, resources_pb2
from moorage_server.api import encode, encode_resources, names
from moorage_server.domain import catalog, errors
from moorage_server.domain.eligibility import Rule
from moorage_server.usecases import explain

_RULES = {
    Rule.NOT_NAMED: messages.PASSED_OVER_NOT_NAMED,
    Rule.NAMESPACE: messages.PASSED_OVER_NAMESPACE,
    Rule.FIXED_ADDRESS: messages.PASSED_OVER_FIXED_ADDRESS,
    Rule.DISABLED: messages.PASSED_OVER_DISABLED,
    Rule.DRAINING: messages.PASSED_OVER_DRAINING,
    Rule.MANUAL: messages.PASSED_OVER_MANUAL,
    Rule.NODE_SELECTOR: messages.PASSED_OVER_NODE_SELECTOR,
    Rule.NAMESPACE_SELECTOR: messages.PASSED_OVER_NAMESPACE_SELECTOR,
    Rule.USE: messages.PASSED_OVER_USE,
}
_FULL = "add a pool, release allocations, or shorten what is reserved"


def explanation(explained: explain.Explanation) -> messages.ExplainAssignResponse:
    """The whole answer."""
    refused = explained.refusal
    return messages.ExplainAssignResponse(
        allocations=map(_allocation, explained.allocations),
        refusal=None if refused is None else _refusal(refused),
        addresses=[
            messages.AddressExplanation(pools=map(_considered, pools))
            for pools in explained.considered
        ],
    )


def _allocation(shown: catalog.Shown) -> resources_pb2.Allocation:
    message = encode.allocation(shown)
    if shown.allocation.generation == explain.NOT_ASSIGNED:
        message.ClearField("assign_time")
    return message


def _refusal(error: errors.IpamError) -> reconciliation_pb2.Refusal:
    reason = error_reason_pb2.ErrorReason.Value(f"ERROR_REASON_{error.reason}")
    return reconciliation_pb2.Refusal(reason=reason, message=error.message, metadata=error.metadata)


def _considered(seen: explain.Considered) -> messages.ConsideredPool:
    pool, why = seen.offer.pool, seen.why
    message = messages.ConsideredPool(
        pool=names.child_name(pool.vrf, names.POOLS, pool.name),
        cidr=str(pool.cidr),
        counts=encode_resources.counts(seen.counts),
    )
    if why is not None:
        message.passed_over = _RULES[why.rule]
        message.explanation, message.next_step = why.text, why.next_step
    elif not seen.counts.available:
        message.next_step = _FULL
    return message
