"""A gRPC server that answers as a test has written down, and remembers what it was asked.

For what a sound server says only in rare moments; all else is tried against the real one.
"""

import concurrent.futures
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import grpc
from google.protobuf import any_pb2, duration_pb2, message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

Step = Callable[[grpc.ServicerContext], bytes]

STREAMING = frozenset(
    {
        "/moorage.v1.AdminService/CheckConsistency",
        "/moorage.v1.AdminService/ExportVrf",
        "/moorage.v1.AllocationService/WatchAllocations",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call that reached the server."""

    method: str
    request: bytes
    time: float
    time_remaining: float
    request_id: str


@dataclass
class Peer(grpc.GenericRpcHandler):
    """What is answered to which call, in order, and what was asked."""

    target: str = ""
    steps: deque[Step] = field(default_factory=deque)
    later: deque[deque[Step]] = field(default_factory=deque)
    calls: list[Call] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[bytes, bytes]":
        """Answer any method at all with the next step, a stream with all that are left."""

        def remember(request: bytes, context: grpc.ServicerContext) -> None:
            self.calls.append(
                Call(
                    method=handler_call_details.method,
                    request=request,
                    time=time.monotonic(),
                    time_remaining=context.time_remaining() or 0.0,
                    request_id=_request_id(context),
                )
            )

        def answer_next(request: bytes, context: grpc.ServicerContext) -> bytes:
            remember(request, context)
            return self.steps.popleft()(context)

        def answer_all(request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
            remember(request, context)
            steps, self.steps = self.steps, self.later.popleft() if self.later else deque()
            while steps:
                yield steps.popleft()(context)

        if handler_call_details.method in STREAMING:
            return grpc.unary_stream_rpc_method_handler(answer_all)
        return grpc.unary_unary_rpc_method_handler(answer_next)

    def will(self, *steps: Step) -> None:
        """Write down what comes next."""
        self.steps.extend(steps)

    def then(self, *steps: Step) -> None:
        """Write down what comes next, in a stream of its own."""
        self.later.append(deque(steps))

    def hang(self) -> Step:
        """Do not answer before the test is over."""

        def wait(context: grpc.ServicerContext) -> bytes:
            self.stopping.wait()
            return b""

        return wait


def _request_id(context: grpc.ServicerContext) -> str:
    told = dict(context.invocation_metadata())
    return str(told.get("x-request-id", ""))


def answer(response: message.Message) -> Step:
    """Succeed with `response`."""

    def succeed(context: grpc.ServicerContext) -> bytes:
        return response.SerializeToString()

    return succeed


def refuse(
    code: grpc.StatusCode,
    reason: str = "",
    *,
    details: Sequence[message.Message] = (),
    retry_delay: float | None = None,
    domain: str = "moorage.dev",
    **metadata: str,
) -> Step:
    """Fail as a Moorage server does; without a reason, as anything else may."""
    packed = list(details)
    if reason:
        packed.append(error_details_pb2.ErrorInfo(domain=domain, reason=reason, metadata=metadata))
    if retry_delay is not None:
        delay = duration_pb2.Duration()
        delay.FromNanoseconds(int(retry_delay * 1e9))
        packed.append(error_details_pb2.RetryInfo(retry_delay=delay))

    def abort(context: grpc.ServicerContext) -> bytes:
        number: int = code.value[0]
        status = status_pb2.Status(code=number, message=f"said {code.name}")
        for detail in packed:
            carried = any_pb2.Any()
            carried.Pack(detail)
            status.details.append(carried)
        context.abort_with_status(rpc_status.to_status(status))
        return b""

    return abort


@contextlib.contextmanager
def serve(address: str = "127.0.0.1:0") -> Iterator[Peer]:
    """Run a server on a port of its own, or on the address given."""
    peer = Peer()
    with concurrent.futures.ThreadPoolExecutor(max_workers=4) as workers:
        server = grpc.server(workers, handlers=[peer], options=[("grpc.so_reuseport", 0)])
        port = server.add_insecure_port(address)
        peer.target = f"127.0.0.1:{port}" if address.startswith("127.") else address
        server.start()
        try:
            yield peer
        finally:
            peer.stopping.set()
            server.stop(grace=0).wait()
