"""One call, one answer: what a server said, be it a response or a refusal."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import TypeVar

import grpc
from google.protobuf.message import Message

from moorage import failures
from moorage.v1 import (
    allocation_service_pb2_grpc,
    node_service_pb2_grpc,
    pool_service_pb2_grpc,
    reservation_service_pb2_grpc,
    vrf_service_pb2_grpc,
)

R = TypeVar("R", bound=Message)

_STUBS = (
    allocation_service_pb2_grpc.AllocationServiceStub,
    pool_service_pb2_grpc.PoolServiceStub,
    reservation_service_pb2_grpc.ReservationServiceStub,
    node_service_pb2_grpc.NodeServiceStub,
    vrf_service_pb2_grpc.VrfServiceStub,
)


@dataclasses.dataclass(frozen=True, slots=True)
class Refused:
    """A call that failed, and why."""

    reason: str
    message: str
    metadata: Mapping[str, str]

    def __str__(self) -> str:
        """For the trace of a history."""
        return f"{self.reason} {dict(self.metadata)}"


class Service:
    """A server, seen through its public API alone."""

    def __init__(self, channel: grpc.Channel) -> None:
        """Calls go through the channel, one at a time, and are never repeated."""
        self._stubs = [stub(channel) for stub in _STUBS]

    def answer(self, request: Message, kind: type[R]) -> R | Refused:
        """Sends a request to the RPC that it is named for; `kind` is that of its response."""
        rpc = type(request).__name__.removesuffix("Request")
        (method,) = (getattr(stub, rpc) for stub in self._stubs if hasattr(stub, rpc))
        send: Callable[..., Message] = method
        try:
            response = send(request, timeout=30)
        except grpc.RpcError as error:
            failure = failures.from_rpc(error)
            reason = failure.reason or str(failure.code)
            return Refused(reason, str(failure), failure.metadata or {})
        assert isinstance(response, kind), f"{rpc} answers with a {type(response).__name__}"
        return response
