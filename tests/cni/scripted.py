"""A gRPC server that answers every call as a test has written down, and remembers the requests.

For what a sound server says only in rare moments; all else is tried against the real one.
"""

import concurrent.futures
import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NoReturn

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from moorage.v1 import (
    allocation_service_pb2,
    allocation_service_pb2_grpc,
    reconciliation_pb2,
    resources_pb2,
)

Abort = Callable[[grpc.ServicerContext], None]


@dataclass
class Script(allocation_service_pb2_grpc.AllocationServiceServicer):
    """What is answered, and what was asked."""

    target: str = ""
    allocations: list[resources_pb2.Allocation] = field(default_factory=list)
    abort: Abort | None = None
    assigned: list[allocation_service_pb2.AssignAddressesRequest] = field(default_factory=list)
    released: list[allocation_service_pb2.ReleaseAddressesRequest] = field(default_factory=list)
    reconciled: list[reconciliation_pb2.ReconcileNodeRequest] = field(default_factory=list)
    listed: list[allocation_service_pb2.ListAllocationsRequest] = field(default_factory=list)
    seconds_left: list[float] = field(default_factory=list)
    request_ids: list[str] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def AssignAddresses(  # noqa: N802 - the name in the proto
        self,
        request: allocation_service_pb2.AssignAddressesRequest,
        context: grpc.ServicerContext,
    ) -> allocation_service_pb2.AssignAddressesResponse:
        self.assigned.append(request)
        self._play(context)
        return allocation_service_pb2.AssignAddressesResponse(allocations=self.allocations)

    def ReleaseAddresses(  # noqa: N802 - the name in the proto
        self,
        request: allocation_service_pb2.ReleaseAddressesRequest,
        context: grpc.ServicerContext,
    ) -> allocation_service_pb2.ReleaseAddressesResponse:
        self.released.append(request)
        self._play(context)
        return allocation_service_pb2.ReleaseAddressesResponse()

    def ReconcileNode(  # noqa: N802 - the name in the proto
        self,
        request: reconciliation_pb2.ReconcileNodeRequest,
        context: grpc.ServicerContext,
    ) -> reconciliation_pb2.ReconcileNodeResponse:
        self.reconciled.append(request)
        self._play(context)
        return reconciliation_pb2.ReconcileNodeResponse()

    def ExplainAssign(  # noqa: N802 - the name in the proto
        self,
        request: allocation_service_pb2.ExplainAssignRequest,
        context: grpc.ServicerContext,
    ) -> allocation_service_pb2.ExplainAssignResponse:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, f"the plugin asks about {request.assign}")

    def GetAllocation(  # noqa: N802 - the name in the proto
        self,
        request: allocation_service_pb2.GetAllocationRequest,
        context: grpc.ServicerContext,
    ) -> allocation_service_pb2.GetAllocationResponse:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, f"the plugin asks for {request.name}")

    def ListAllocations(  # noqa: N802 - the name in the proto
        self,
        request: allocation_service_pb2.ListAllocationsRequest,
        context: grpc.ServicerContext,
    ) -> allocation_service_pb2.ListAllocationsResponse:
        self.listed.append(request)
        self._play(context)
        return allocation_service_pb2.ListAllocationsResponse(allocations=self.allocations)

    def _play(self, context: grpc.ServicerContext) -> None:
        self.seconds_left.append(context.time_remaining() or 0.0)
        told = dict(context.invocation_metadata())
        self.request_ids.append(str(told.get("x-request-id", "")))
        if self.abort:
            self.abort(context)


def refusal(
    code: grpc.StatusCode, message: str, reason: str = "", **metadata: str
) -> Callable[[grpc.ServicerContext], NoReturn]:
    """A failure as a Moorage server sends it; without a reason, as anything else may.

    It asks to be left alone for longer than any test waits, so that no client tries again.
    """

    def abort(context: grpc.ServicerContext) -> NoReturn:
        if not reason:
            context.abort(code, message)
        info, later = any_pb2.Any(), any_pb2.Any()
        info.Pack(
            error_details_pb2.ErrorInfo(domain="moorage.dev", reason=reason, metadata=metadata)
        )
        later.Pack(error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=600)))
        number: int = code.value[0]
        status = status_pb2.Status(code=number, message=message, details=[info, later])
        context.abort_with_status(rpc_status.to_status(status))
        raise AssertionError("abort returned")

    return abort


@contextlib.contextmanager
def serve() -> Iterator[Script]:
    """Runs a server on a port of its own."""
    script = Script()  # type: ignore[abstract]  # the plugin calls nothing else
    with concurrent.futures.ThreadPoolExecutor(max_workers=4) as workers:
        server = grpc.server(workers)
        allocation_service_pb2_grpc.add_AllocationServiceServicer_to_server(script, server)
        script.target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        try:
            yield script
        finally:
            script.stopping.set()
            server.stop(grace=0).wait()
