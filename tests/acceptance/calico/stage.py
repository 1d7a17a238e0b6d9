"""Where a row is played: a VRF of its own on a server that all rows of a module share."""

import itertools
from collections.abc import Callable

import grpc
from google.protobuf.message import Message

from harness import serving
from moorage.v1 import (
    allocation_service_pb2_grpc,
    node_service_pb2_grpc,
    pool_service_pb2_grpc,
    reservation_service_pb2_grpc,
    vrf_service_pb2,
    vrf_service_pb2_grpc,
)

_STUBS = (
    allocation_service_pb2_grpc.AllocationServiceStub,
    pool_service_pb2_grpc.PoolServiceStub,
    reservation_service_pb2_grpc.ReservationServiceStub,
    node_service_pb2_grpc.NodeServiceStub,
    vrf_service_pb2_grpc.VrfServiceStub,
)


class Theatre:
    """A server, and as many stages as there are rows."""

    def __init__(self, server: serving.Serving, channel: grpc.Channel) -> None:
        """Calls go through the channel."""
        self.database = server.database
        self._stubs = [stub(channel) for stub in _STUBS]
        self._numbers = itertools.count(1)

    def stage(self) -> "Stage":
        """A VRF that nothing is in."""
        vrf = f"row-{next(self._numbers)}"
        self.call(vrf_service_pb2.CreateVrfRequest(vrf_id=vrf))
        return Stage(self, vrf)

    def call(self, request: Message) -> Message:
        """Sends a request to the RPC that it is named for; a refusal is a grpc.RpcError."""
        rpc = type(request).__name__.removesuffix("Request")
        (method,) = (getattr(stub, rpc) for stub in self._stubs if hasattr(stub, rpc))
        send: Callable[..., Message] = method
        return send(request, timeout=30)


class Stage:
    """One VRF, and what a row has said so far of namespaces and of answers to come back to."""

    def __init__(self, theatre: Theatre, vrf: str) -> None:
        """Belongs to a theatre."""
        self.theatre = theatre
        self.vrf = vrf
        self.namespaces: dict[str, dict[str, str]] = {}
        self.known: dict[str, Message] = {}

    @property
    def parent(self) -> str:
        """The VRF's resource name."""
        return f"vrfs/{self.vrf}"

    def name(self, collection: str, child: str) -> str:
        """The resource name of something in the VRF."""
        return f"{self.parent}/{collection}/{child}"

    def call(self, request: Message) -> Message:
        """Sends a request to the RPC that it is named for; a refusal is a grpc.RpcError."""
        return self.theatre.call(request)
