"""What a refusal says, read from a call of gRPC's own asynchronous client."""

import grpc.aio
from google.rpc import error_details_pb2, status_pb2

from moorage import failures


def told(error: grpc.aio.AioRpcError) -> tuple[str, float]:
    """The published reason, and how many seconds the server wants to be left alone."""
    carried = dict(error.trailing_metadata() or ())
    status = status_pb2.Status.FromString(bytes(carried.get(failures.DETAILS_KEY, b"")))
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(retry)
    delay = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9
    return info.reason or f"{error.code().name} without a reason", delay
