"""Spans of calls: of an RPC, of its time in the queue, and of the batch, which serves many.

Loads OpenTelemetry; nobody imports it where traces are switched off.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Final, TypeVar, cast

import grpc
from opentelemetry import context as contexts
from opentelemetry import trace

from moorage import telemetry
from moorage_server import traces
from moorage_server.api import acting, desk

Question = TypeVar("Question")
Answer = TypeVar("Answer")
T = TypeVar("T")

# What a server has to answer for; any other refusal is its caller's business.
_FAULTS: Final = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)
_STATUS: Final = "rpc.grpc.status_code"
# Characters of a header: as many as W3C wants passed on. A longer `tracestate` would be in every
# span of the call, and a batch with it more than a collector takes, the spans of others included.
_LONGEST: Final = 512


class Track:
    """One traced call on its way to a batch."""

    def __init__(self, call: trace.Span) -> None:
        """It waits for nothing so far."""
        self.call = call
        self._queue: trace.Span | None = None

    def wait(self) -> None:
        """It is put into a queue."""
        self._queue = _tracer().start_span("queue", trace.set_span_in_context(self.call))

    def go_on(self) -> None:
        """It waits in no queue any more, if it did."""
        if self._queue is not None:
            self._queue.end()
            self._queue = None


def track() -> Track | None:
    """The present call's; None where it is not traced."""
    call = trace.get_current_span()
    return Track(call) if call.is_recording() else None


def answering(
    path: str, behaviour: Callable[[Question, desk.Context], Awaitable[Answer]]
) -> Callable[[Question, desk.Context], Awaitable[Answer]]:
    """The same method, each call of it traced as its caller wants, or the sampler."""

    async def call(request: Question, context: desk.Context) -> Answer:
        with _call(path, context):
            return await behaviour(request, context)

    return call


def telling(
    path: str, behaviour: Callable[[Question, desk.Context], AsyncIterator[Answer]]
) -> Callable[[Question, desk.Context], AsyncIterator[Answer]]:
    """The same, of a method that answers again and again."""

    async def call(request: Question, context: desk.Context) -> AsyncIterator[Answer]:
        with _call(path, context):
            async for answer in behaviour(request, context):
                yield answer

    return call


def refused(reason: str, code: grpc.StatusCode) -> None:
    """The present call is answered with this."""
    span = trace.get_current_span()
    span.set_attribute(_STATUS, code.value[0])
    span.set_attribute("moorage.reason", reason)
    if code in _FAULTS:
        telemetry.failed(span, reason)


def batch(
    work: Callable[[], T], tracks: Sequence[Track], attributes: traces.Attributes
) -> Callable[[], T]:
    """The same work, told of as what serves all these calls.

    It is a part of the first, so that what a call waits for is in its own trace where it is alone;
    all of them are linked with it, and it with them.
    """
    calls = [each.call for each in tracks]

    def told() -> T:
        with _tracer().start_as_current_span(
            "batch",
            context=trace.set_span_in_context(calls[0], contexts.Context()),
            links=[trace.Link(call.get_span_context()) for call in calls],
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            for call in calls:
                _name(span.get_span_context(), call, attributes)
            try:
                return work()
            except BaseException as error:
                telemetry.failed(span, telemetry.kind_of(error))
                raise

    return told if calls else work


def _name(batch: trace.SpanContext, call: trace.Span, attributes: traces.Attributes) -> None:
    """Tells a call which batch has it now."""
    if call.is_recording():
        name = {
            "moorage.batch.trace_id": trace.format_trace_id(batch.trace_id),
            "moorage.batch.span_id": trace.format_span_id(batch.span_id),
        }
        call.add_event("batch", {**attributes, **name})
        call.add_link(batch)


@contextlib.contextmanager
def _call(path: str, context: desk.Context) -> Iterator[None]:
    span = _tracer().start_span(
        path.lstrip("/"),
        telemetry.W3C.extract(_texts(context)),
        kind=trace.SpanKind.SERVER,
        attributes={
            **telemetry.of_method(path),
            telemetry.REQUEST_ID: acting.request_id(context),
        },
    )
    # For good: each call runs in a context of its own, and a stream may be ended from another.
    contexts.attach(trace.set_span_in_context(span))
    try:
        yield
        span.set_attribute(_STATUS, grpc.StatusCode.OK.value[0])
    except (asyncio.CancelledError, GeneratorExit):
        span.set_attribute(_STATUS, grpc.StatusCode.CANCELLED.value[0])
        raise
    finally:
        span.end()


def _texts(context: desk.Context) -> dict[str, str]:
    metadata = context.invocation_metadata() or ()
    texts = ((key, value) for key, value in metadata if isinstance(value, str))
    return {key: value for key, value in texts if len(value) <= _LONGEST}


def _tracer() -> trace.Tracer:
    return cast("telemetry.Spans", traces.spans).tracer
