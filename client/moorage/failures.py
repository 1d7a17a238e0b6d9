"""Turns a failed RPC into the exception that says what to do about it.

The exceptions themselves are in `moorage.errors`; what is sent again after one is decided in
`moorage.retries`.
"""

from typing import TypeVar

import grpc
from google.protobuf import message
from google.rpc import error_details_pb2, status_pb2

from moorage import errors

DOMAIN = "moorage.dev"
# Where gRPC carries a google.rpc.Status beside the code and the message.
DETAILS_KEY = "grpc-status-details-bin"

CLASSES: dict[grpc.StatusCode, type[errors.MoorageError]] = {
    grpc.StatusCode.CANCELLED: errors.Unavailable,
    grpc.StatusCode.UNKNOWN: errors.ServerFault,
    grpc.StatusCode.INVALID_ARGUMENT: errors.InvalidRequest,
    grpc.StatusCode.DEADLINE_EXCEEDED: errors.DeadlineExceeded,
    grpc.StatusCode.NOT_FOUND: errors.NotFound,
    grpc.StatusCode.ALREADY_EXISTS: errors.Conflict,
    grpc.StatusCode.PERMISSION_DENIED: errors.Denied,
    grpc.StatusCode.UNAUTHENTICATED: errors.Denied,
    # Without a reason of ours this is a limit of the transport, such as the size of a message.
    grpc.StatusCode.RESOURCE_EXHAUSTED: errors.ServerFault,
    grpc.StatusCode.FAILED_PRECONDITION: errors.Conflict,
    grpc.StatusCode.ABORTED: errors.Conflict,
    grpc.StatusCode.OUT_OF_RANGE: errors.InvalidRequest,
    grpc.StatusCode.UNIMPLEMENTED: errors.ServerFault,
    grpc.StatusCode.INTERNAL: errors.ServerFault,
    grpc.StatusCode.UNAVAILABLE: errors.Unavailable,
    grpc.StatusCode.DATA_LOSS: errors.ServerFault,
}

# Where the reason says more than its code does.
CLASSES_BY_REASON: dict[str, type[errors.MoorageError]] = {
    "POOL_EXHAUSTED": errors.Exhausted,
    "POOL_COOLING": errors.Exhausted,
    "BLOCK_LIMIT_REACHED": errors.Exhausted,
    "QUOTA_EXCEEDED": errors.Exhausted,
    "BLOCK_ALLOCATION_DISABLED": errors.Exhausted,
    "SERVER_BUSY": errors.Unavailable,
    "CONTENTION": errors.Unavailable,
    "OUTCOME_UNKNOWN": errors.OutcomeUnknown,
    "CONSUMER_TOO_SLOW": errors.Unavailable,
    "CURSOR_EXPIRED": errors.CursorLost,
    "CURSOR_UNKNOWN": errors.CursorLost,
}

# After these codes a change may have been made: the answer was lost, not the request.
IN_DOUBT = frozenset(
    {
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)

# The same where no reason is told: the transport's limit may be one of the answer, or of a stream
# that was ended while the server was at work.
IN_DOUBT_WITHOUT_REASON = frozenset({grpc.StatusCode.RESOURCE_EXHAUSTED})

# ... unless the server itself says that nothing was changed.
NOTHING_CHANGED = frozenset(
    {"DATABASE_UNAVAILABLE", "DEADLINE_TOO_SHORT", "KUBERNETES_UNAVAILABLE"}
)

_Detail = TypeVar(
    "_Detail",
    error_details_pb2.ErrorInfo,
    error_details_pb2.BadRequest,
    error_details_pb2.RetryInfo,
)


def from_rpc(error: grpc.RpcError, request_id: str = "") -> errors.MoorageError:
    """Return the exception for a failed call, that was sent under this id."""
    code = error.code()
    status = _status(error)
    info = _detail(status, error_details_pb2.ErrorInfo())
    ours = info.domain == DOMAIN
    reason = info.reason if ours else ""
    failure = _class(code, reason)(
        code,
        reason,
        error.details() or code.name,
        info.metadata if ours else None,
        _violations(status),
    )
    failure.request_id = request_id
    failure.retry_delay = _retry_delay(status)
    doubted = IN_DOUBT if reason else IN_DOUBT | IN_DOUBT_WITHOUT_REASON
    failure.in_doubt = code in doubted and reason not in NOTHING_CHANGED
    return failure


def _class(code: grpc.StatusCode, reason: str) -> type[errors.MoorageError]:
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and reason:
        # A reason that this client does not know yet is one more way of being full.
        return CLASSES_BY_REASON.get(reason, errors.Exhausted)
    return CLASSES_BY_REASON.get(reason, CLASSES.get(code, errors.ServerFault))


def _status(error: grpc.RpcError) -> status_pb2.Status:
    """Return the details of a failed call; none where a stranger on the way garbled them."""
    carried = {item.key: item.value for item in error.trailing_metadata() or ()}
    try:
        return status_pb2.Status.FromString(carried.get(DETAILS_KEY, b""))
    except message.DecodeError:
        return status_pb2.Status()


def _detail(status: status_pb2.Status, wanted: _Detail) -> _Detail:
    """Fill `wanted` from the first detail of its type; leave it empty where there is none."""
    any(detail.Unpack(wanted) for detail in status.details)
    return wanted


def _violations(status: status_pb2.Status) -> tuple[errors.Violation, ...]:
    request = _detail(status, error_details_pb2.BadRequest())
    return tuple(errors.Violation(v.field, v.description) for v in request.field_violations)


def _retry_delay(status: status_pb2.Status) -> float | None:
    info = _detail(status, error_details_pb2.RetryInfo())
    if not info.HasField("retry_delay"):
        return None
    return max(0.0, info.retry_delay.seconds + info.retry_delay.nanos / 1e9)
