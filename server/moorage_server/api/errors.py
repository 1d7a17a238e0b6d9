"""The one table: which status each reason travels under, and how a refusal is sent."""

import uuid
from typing import NoReturn

import grpc
import structlog
from google.protobuf import any_pb2, duration_pb2
from google.protobuf import message as protobuf
from google.rpc import code_pb2, error_details_pb2, status_pb2

from moorage_server.api import desk
from moorage_server.domain import errors

DOMAIN = "moorage.dev"
STATUS_TRAILER = "grpc-status-details-bin"

_log = structlog.get_logger()

CODES: dict[type[errors.IpamError], grpc.StatusCode] = {
    errors.InvalidRequest: grpc.StatusCode.INVALID_ARGUMENT,
    errors.PageTokenMismatch: grpc.StatusCode.INVALID_ARGUMENT,
    errors.VrfNotFound: grpc.StatusCode.NOT_FOUND,
    errors.PoolNotFound: grpc.StatusCode.NOT_FOUND,
    errors.ReservationNotFound: grpc.StatusCode.NOT_FOUND,
    errors.StickyAddressNotFound: grpc.StatusCode.NOT_FOUND,
    errors.NodeNotFound: grpc.StatusCode.NOT_FOUND,
    errors.AllocationNotFound: grpc.StatusCode.NOT_FOUND,
    errors.VrfAlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    errors.PoolAlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    errors.ReservationAlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    errors.PoolOverlaps: grpc.StatusCode.ALREADY_EXISTS,
    errors.VrfInUse: grpc.StatusCode.FAILED_PRECONDITION,
    errors.PoolInUse: grpc.StatusCode.FAILED_PRECONDITION,
    errors.VrfQuarantined: grpc.StatusCode.FAILED_PRECONDITION,
    errors.FieldImmutable: grpc.StatusCode.FAILED_PRECONDITION,
    errors.EtagMismatch: grpc.StatusCode.ABORTED,
    errors.NoEligiblePool: grpc.StatusCode.FAILED_PRECONDITION,
    errors.PoolDisabled: grpc.StatusCode.FAILED_PRECONDITION,
    errors.PoolDraining: grpc.StatusCode.FAILED_PRECONDITION,
    errors.PoolUseNotAllowed: grpc.StatusCode.FAILED_PRECONDITION,
    errors.PoolFamilyMismatch: grpc.StatusCode.FAILED_PRECONDITION,
    errors.AddressNotInPool: grpc.StatusCode.FAILED_PRECONDITION,
    errors.AddressExcluded: grpc.StatusCode.FAILED_PRECONDITION,
    errors.AddressInUse: grpc.StatusCode.ALREADY_EXISTS,
    errors.AddressCooling: grpc.StatusCode.ALREADY_EXISTS,
    errors.AddressKept: grpc.StatusCode.ALREADY_EXISTS,
    errors.BlockAffinityMismatch: grpc.StatusCode.FAILED_PRECONDITION,
    errors.AttachmentChanged: grpc.StatusCode.FAILED_PRECONDITION,
    errors.AttachmentReleased: grpc.StatusCode.FAILED_PRECONDITION,
    errors.AttachmentSuperseded: grpc.StatusCode.FAILED_PRECONDITION,
    errors.PoolExhausted: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.PoolCooling: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.QuotaExceeded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.BlockLimitReached: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.BlockAllocationDisabled: grpc.StatusCode.FAILED_PRECONDITION,
    errors.CursorExpired: grpc.StatusCode.OUT_OF_RANGE,
    errors.CursorUnknown: grpc.StatusCode.OUT_OF_RANGE,
    errors.ConsumerTooSlow: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.Contention: grpc.StatusCode.ABORTED,
    errors.DatabaseUnavailable: grpc.StatusCode.UNAVAILABLE,
    errors.KubernetesUnavailable: grpc.StatusCode.UNAVAILABLE,
    errors.OutcomeUnknown: grpc.StatusCode.UNAVAILABLE,
    errors.DeadlineTooShort: grpc.StatusCode.DEADLINE_EXCEEDED,
    errors.ServerBusy: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.InternalError: grpc.StatusCode.INTERNAL,
    errors.CredentialRefused: grpc.StatusCode.UNAUTHENTICATED,
    errors.MethodNotAllowed: grpc.StatusCode.PERMISSION_DENIED,
    errors.NotYours: grpc.StatusCode.PERMISSION_DENIED,
    errors.NamespaceNotGranted: grpc.StatusCode.PERMISSION_DENIED,
    errors.PodNotVerified: grpc.StatusCode.PERMISSION_DENIED,
}

# Reasons for which the same call is worth sending again, and after how long.
RETRY_DELAYS_MS: dict[type[errors.IpamError], int] = {
    errors.Contention: 50,
    errors.DatabaseUnavailable: 500,
    errors.KubernetesUnavailable: 500,
    errors.OutcomeUnknown: 100,
    errors.ServerBusy: 1000,
}


def status(error: errors.IpamError) -> status_pb2.Status:
    """The google.rpc.Status of an error, with its details."""
    details: list[protobuf.Message] = [
        error_details_pb2.ErrorInfo(domain=DOMAIN, reason=error.reason, metadata=error.metadata)
    ]
    if isinstance(error, errors.InvalidRequest):
        violations = [
            error_details_pb2.BadRequest.FieldViolation(field=field, description=text)
            for field, text in error.violations
        ]
        details.append(error_details_pb2.BadRequest(field_violations=violations))
    delay = RETRY_DELAYS_MS.get(type(error))
    if delay is not None:
        retry = duration_pb2.Duration()
        retry.FromMilliseconds(delay)
        details.append(error_details_pb2.RetryInfo(retry_delay=retry))
    return status_pb2.Status(
        code=code_pb2.Code.Value(CODES[type(error)].name),
        message=error.message,
        details=[_packed(detail) for detail in details],
    )


def refusal(action: str, error: BaseException) -> errors.IpamError:
    """What is told of an error; one that is not for callers goes to the log instead."""
    if isinstance(error, errors.IpamError):
        return error
    told = errors.InternalError(uuid.uuid4().hex[:12])
    _log.error("fault", action=action, **told.metadata, exc_info=error)
    return told


async def abort(context: desk.Context, error: errors.IpamError) -> NoReturn:
    """Ends a call with an error."""
    await context.abort(*ending(error))


def ending(
    error: errors.IpamError,
) -> tuple[grpc.StatusCode, str, tuple[tuple[str, bytes]]]:
    """How a call ends with an error: code, message, trailers."""
    trailer = ((STATUS_TRAILER, status(error).SerializeToString()),)
    return CODES[type(error)], error.message, trailer


def _packed(detail: protobuf.Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return packed
