"""Spans by OpenTelemetry, sent by OTLP over gRPC as its own variables OTEL_… say.

The programs of nodes and the server load it where traces are switched on, and nobody else does: it
needs the extra `traces`. Whether they are switched on is in `moorage.traces`, and for the server,
which has spans of its own, in `moorage_server.traces`.
"""

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager

from google.protobuf import message_factory
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.exporter import InvalidCompressionValueException
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk import resources
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from moorage import errors
from moorage.v1 import (
    admin_service_pb2,
    allocation_service_pb2,
    node_service_pb2,
    pool_service_pb2,
    reservation_service_pb2,
    vrf_service_pb2,
)

Attributes = Mapping[str, str | int | bool]

PROTOCOL = "grpc"
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
# How long a process that ends waits for its last spans to be taken. The calls have had their time,
# and an agent's successor cannot begin before it has ended.
LAST_SPANS = 2.0  # seconds

REQUEST_ID = "moorage.request_id"

W3C = TraceContextTextMapPropagator()
_NONE: Attributes = {}
# Every method has a request of its own, by which the client knows it.
_PATHS: dict[type[object], str] = {
    message_factory.GetMessageClass(method.input_type): f"/{service.full_name}/{method.name}"
    for file in (
        admin_service_pb2,
        allocation_service_pb2,
        node_service_pb2,
        pool_service_pb2,
        reservation_service_pb2,
        vrf_service_pb2,
    )
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
_UNTRACED: AbstractContextManager[None] = contextlib.nullcontext()


class Unfit(Exception):
    """Traces cannot be sent as the environment says; the text says what to set."""


class Spans:
    """The spans of one process, sent from a thread of their own: no call waits for a collector.

    What cannot be sent is dropped.
    """

    def __init__(
        self, service: str, version: str, complain: Callable[[logging.LogRecord], None]
    ) -> None:
        """`service` is what the process is called unless OTEL_SERVICE_NAME says otherwise.

        That spans could not be sent is told to `complain`. Raises Unfit.
        """
        _require_protocol()
        _have_told(complain)
        self._provider = _provider(service, version)
        self.tracer = self._provider.get_tracer("moorage", version)

    def step(self, name: str, attributes: Attributes = _NONE) -> AbstractContextManager[None]:
        """A part of what is traced here at present; nothing where nothing is."""
        if not trace.get_current_span().is_recording():
            return _UNTRACED
        return self._step(name, attributes)

    @contextlib.contextmanager
    def _step(self, name: str, attributes: Attributes) -> Iterator[None]:
        with self.tracer.start_as_current_span(
            name, attributes=attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield
            except BaseException as error:
                # Of what kind, and no more: a message may hold what nobody is to read.
                failed(span, kind_of(error))
                raise

    @contextlib.contextmanager
    def call(self, request: object, request_id: str) -> Iterator[tuple[tuple[str, str], ...]]:
        """A call of a server, with all its tries; lends the metadata that it is to be sent with."""
        path = _PATHS[type(request)]
        with self.tracer.start_as_current_span(
            path.lstrip("/"),
            kind=trace.SpanKind.CLIENT,
            attributes={**of_method(path), REQUEST_ID: request_id},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            carried: dict[str, str] = {}
            W3C.inject(carried)
            try:
                yield tuple(carried.items())
            except errors.MoorageError as error:
                span.set_attribute("rpc.grpc.status_code", error.code.value[0])
                failed(span, error.reason or error.code.name)
                raise
            span.set_attribute("rpc.grpc.status_code", 0)

    def close(self) -> None:
        """Sends what is left, for as long as LAST_SPANS at most."""
        # The SDK waits for its exporter for as long as that may take.
        sending = threading.Thread(target=self._provider.shutdown, name="last spans", daemon=True)
        sending.start()
        sending.join(LAST_SPANS)


def of_method(path: str) -> dict[str, str]:
    """What the conventions have for a method, by its path /SERVICE/METHOD."""
    service, _, method = path.lstrip("/").rpartition("/")
    return {"rpc.system": "grpc", "rpc.service": service, "rpc.method": method}


def kind_of(error: BaseException) -> str:
    """The published reason of an error, or else its class."""
    return getattr(error, "reason", "") or type(error).__name__


def failed(span: trace.Span, kind: str) -> None:
    """Marks what a span is of as failed, and why."""
    span.set_attribute("error.type", kind)
    span.set_status(trace.StatusCode.ERROR)


class _Complaints(logging.Handler):
    def __init__(self, complain: Callable[[logging.LogRecord], None]) -> None:
        super().__init__(logging.ERROR)
        self._complain = complain

    def emit(self, record: logging.LogRecord) -> None:
        self._complain(record)


def _have_told(complain: Callable[[logging.LogRecord], None]) -> None:
    """Of tries that are to be repeated nothing is told, only of spans that are lost."""
    log = logging.getLogger("opentelemetry")
    log.addHandler(_Complaints(complain))
    log.propagate = False


def _require_protocol() -> None:
    # That of traces counts before that of all signals, and an empty one is none.
    given = ((name, os.environ.get(name)) for name in _PROTOCOLS)
    name, chosen = next((each for each in given if each[1]), ("", PROTOCOL))
    if chosen != PROTOCOL:
        raise Unfit(f"{name} is {chosen}: spans are sent by {PROTOCOL}; give that, or nothing")


def _provider(service: str, version: str) -> TracerProvider:
    try:
        # Ours alone, and not OpenTelemetry's for the whole process: what a library makes of spans
        # by itself is not ours to send.
        made = TracerProvider(resource=_resource(service, version), shutdown_on_exit=False)
        made.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    except (ValueError, RuntimeError, InvalidCompressionValueException) as error:
        raise Unfit(f"a variable OTEL_… is wrong: {error}") from error
    return made


def _resource(service: str, version: str) -> resources.Resource:
    own = resources.Resource({"service.name": service, "service.version": version})
    # Last come those of the environment, which win.
    return resources.Resource.create().merge(own).merge(resources.OTELResourceDetector().detect())
