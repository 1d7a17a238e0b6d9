"""A collector of spans that speaks OTLP over gRPC, and what a test asks of them."""

import concurrent.futures
import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

CLIENT = trace_pb2.Span.SPAN_KIND_CLIENT
SERVER = trace_pb2.Span.SPAN_KIND_SERVER


@dataclass(frozen=True)
class Span:
    """One that has arrived."""

    service: str
    said: trace_pb2.Span

    @property
    def name(self) -> str:
        return self.said.name

    @property
    def attributes(self) -> dict[str, str | int | bool]:
        return _plain(self.said.attributes)

    @property
    def events(self) -> list[dict[str, str | int | bool]]:
        """What is told by each event of it."""
        return [_plain(each.attributes) for each in self.said.events]


@dataclass
class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Keeps every span that it is sent."""

    target: str = ""
    spans: list[Span] = field(default_factory=list)
    _arrived: threading.Condition = field(default_factory=threading.Condition)

    def Export(  # noqa: N802 - the name in the proto
        self,
        request: trace_service_pb2.ExportTraceServiceRequest,
        context: grpc.ServicerContext,  # noqa: ARG002 - gRPC passes it
    ) -> trace_service_pb2.ExportTraceServiceResponse:
        with self._arrived:
            for of in request.resource_spans:
                (service,) = (
                    each.value.string_value
                    for each in of.resource.attributes
                    if each.key == "service.name"
                )
                for scope in of.scope_spans:
                    self.spans += [Span(service, each) for each in scope.spans]
            self._arrived.notify_all()
        return trace_service_pb2.ExportTraceServiceResponse()

    def wait(self, holds: Callable[[Span], bool]) -> Span:
        """The first span of which that holds, once it is there."""
        with self._arrived:
            found = self._arrived.wait_for(lambda: next(filter(holds, self.spans), None), 30)
            assert found, [each.name for each in self.spans]
            return found

    def called(self, name: str) -> Span:
        """The first of this name, once it is there."""
        return self.wait(lambda span: span.name == name)

    def trace(self, of: Span) -> list[Span]:
        """Every span of the same trace that is there."""
        return [each for each in self.spans if each.said.trace_id == of.said.trace_id]

    def way_up(self, span: Span) -> list[Span]:
        """Itself, the span that it is a part of, and so on up to the one that is of none."""
        way = [span]
        while above := way[-1].said.parent_span_id:
            way.append(self._of(above))
        return way

    def _of(self, span_id: bytes) -> Span:
        return self.wait(lambda span: span.said.span_id == span_id)

    @property
    def variables(self) -> dict[str, str]:
        """How a program is told of this collector."""
        return {
            "MOORAGE_TRACES": "true",
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.target,
            "OTEL_BSP_SCHEDULE_DELAY": "50",
        }


@contextlib.contextmanager
def running() -> Iterator[Collector]:
    """A collector on a port of its own."""
    collector = Collector()
    with concurrent.futures.ThreadPoolExecutor(max_workers=4) as workers:
        server = grpc.server(workers)
        # The package has no types for this one.
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call]
        collector.target = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        try:
            yield collector
        finally:
            server.stop(grace=0).wait()


def _plain(attributes: Iterable[common_pb2.KeyValue]) -> dict[str, str | int | bool]:
    return {
        each.key: getattr(each.value, str(each.value.WhichOneof("value"))) for each in attributes
    }
