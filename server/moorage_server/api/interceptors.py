"""What happens around every call: who may make it, errors become statuses, refusals are logged."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NoReturn, TypeVar, cast

import grpc
import grpc.aio
import structlog
from google.protobuf import message

from moorage_server import traces
from moorage_server.api import acting, desk, measures
from moorage_server.api import errors as statuses
from moorage_server.api.admission import Admission
from moorage_server.api.callers import CURRENT, Callers
from moorage_server.api.denials import KINDS, Denials
from moorage_server.api.entry import Entry
from moorage_server.domain import errors

Question = TypeVar("Question")
Answer = TypeVar("Answer")
Behaviour = Callable[[Question, desk.Context], Awaitable[Answer]]
Telling = Callable[[Question, desk.Context], AsyncIterator[Answer]]

_log = structlog.get_logger()

# A fault of ours, or a state of ours that an operator must know of.
_ERRORS = (errors.InternalError, errors.DatabaseUnavailable, errors.OutcomeUnknown)


class _Unreadable:
    """Stands for a request that could not be read."""


class Boundary(grpc.aio.ServerInterceptor):
    """The outermost interceptor: nothing but a published reason leaves the server.

    With `callers`, each is asked who he is, and may call what `authorization` has for him; without,
    nothing is asked.
    """

    def __init__(
        self, admission: Admission, calls: measures.Calls, callers: Callers | None = None
    ) -> None:
        """Has wrapped nothing yet."""
        self._admission = admission
        self._calls = calls
        self._callers = callers
        self._denials = Denials()
        # Asked anew for each call, and the same each time.
        self._wrapped: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}

    async def intercept_service(
        self,
        continuation: Callable[
            [grpc.HandlerCallDetails], Awaitable["grpc.RpcMethodHandler[Question, Answer] | None"]
        ],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "grpc.RpcMethodHandler[Question, Answer] | None":
        """Wraps methods of ours; those of health and reflection go through."""
        method = handler_call_details.method
        if method in self._wrapped:
            turned_away = self._admission.turns_away(method)
            return _TURNED_AWAY if turned_away else self._wrapped[method]
        handler = await continuation(handler_call_details)
        if handler is None or "/moorage." not in method:
            return handler
        entry = Entry(method, self._callers) if self._callers else None
        wrapped = self._wrapped[method] = self._wrap(method, handler, entry)
        return wrapped

    def _wrap(
        self,
        method: str,
        handler: "grpc.RpcMethodHandler[Question, Answer]",
        entry: Entry | None,
    ) -> "grpc.RpcMethodHandler[Question, Answer]":
        # The type stubs know only synchronous behaviours, and nothing of what is put in
        # a message's place.
        read = cast("Callable[[bytes], Question]", _readable(handler.request_deserializer))
        action = method.rpartition("/")[2]
        if handler.unary_stream is not None:
            telling = cast("Telling[Question, Answer]", handler.unary_stream)
            guarded = self._guard_stream(action, telling, entry)
            return grpc.unary_stream_rpc_method_handler(
                _traced_stream(method, guarded) if traces.spans else guarded,
                request_deserializer=read,
                response_serializer=_written(handler.response_serializer),
            )
        behaviour = cast("Behaviour[Question, Answer]", handler.unary_unary)
        guard = self._guard(action, behaviour, entry)
        return grpc.unary_unary_rpc_method_handler(
            _traced(method, guard) if traces.spans else guard,
            request_deserializer=read,
            response_serializer=handler.response_serializer,
        )

    def _guard(
        self, action: str, behaviour: Behaviour[Question, Answer], entry: Entry | None
    ) -> Behaviour[Question, Answer]:
        async def call(request: Question | _Unreadable, context: desk.Context) -> Answer:
            began = time.perf_counter()
            try:
                response = await behaviour(await _taken(request, context, entry), context)
            except Exception as error:  # the server's outermost edge
                refusal = statuses.refusal(action, error)
            except BaseException:  # the caller has gone
                self._calls.end(action, measures.CANCELLED, time.perf_counter() - began)
                raise
            else:
                self._tell(action, began, context)
                return response
            self._tell(action, began, context, refusal)
            return await statuses.abort(context, refusal)

        return call

    def _guard_stream(
        self, action: str, behaviour: Telling[Question, Answer], entry: Entry | None
    ) -> Callable[[Question | _Unreadable, desk.Context], AsyncIterator[Answer]]:
        async def call(
            request: Question | _Unreadable, context: desk.Context
        ) -> AsyncIterator[Answer]:
            began = time.perf_counter()
            try:
                question = await _taken(request, context, entry)
                async for response in behaviour(question, context):
                    if entry is not None:
                        # A watch lasts half an hour, and what lets in may have ended since.
                        entry.check(question, await entry.require_still(context))
                    yield response
            except Exception as error:  # the server's outermost edge
                refusal = statuses.refusal(action, error)
            except BaseException:  # the caller has gone
                self._calls.end(action, measures.CANCELLED, time.perf_counter() - began)
                raise
            else:
                self._tell(action, began, context)
                return
            self._tell(action, began, context, refusal)
            await statuses.abort(context, refusal)

        return call

    def _tell(
        self,
        action: str,
        began: float,
        context: desk.Context,
        refusal: errors.IpamError | None = None,
    ) -> None:
        seconds = time.perf_counter() - began
        outcome = refusal.reason if refusal else measures.OK
        self._calls.end(action, outcome, seconds)
        told = {"action": action, "outcome": outcome, "ms": round(seconds * 1000, 2)}
        if refusal is None:
            _log.debug("call", **told, request_id=acting.REQUEST.get())
            return
        told["request_id"] = acting.request_id(context)
        if traces.spans is not None:
            _trace(refusal)
        if isinstance(refusal, KINDS):
            self._denials.tell(context.peer(), CURRENT.get().name, refusal, **told)
            return
        log = _log.error if isinstance(refusal, _ERRORS) else _log.info
        log("call", **told, **refusal.metadata)


def _traced(method: str, behaviour: Behaviour[Question, Answer]) -> Behaviour[Question, Answer]:
    from moorage_server.api import spans  # noqa: PLC0415  # loads OpenTelemetry

    return spans.answering(method, behaviour)


def _traced_stream(method: str, telling: Telling[Question, Answer]) -> Telling[Question, Answer]:
    from moorage_server.api import spans  # noqa: PLC0415  # loads OpenTelemetry

    return spans.telling(method, telling)


def _trace(refusal: errors.IpamError) -> None:
    from moorage_server.api import spans  # noqa: PLC0415  # loads OpenTelemetry

    spans.refused(refusal.reason, statuses.CODES[type(refusal)])


async def _turn_away(_: object, context: desk.Context) -> NoReturn:
    await context.abort(*_BUSY)


# The same for all of them: to write it anew costs as much as to send it.
_BUSY = statuses.ending(errors.ServerBusy())
# A call whose requests come as a stream is answered before any of them is read.
_TURNED_AWAY: "grpc.RpcMethodHandler[Any, Any]" = grpc.stream_unary_rpc_method_handler(_turn_away)


def _readable(
    deserializer: Callable[[bytes], Question] | None,
) -> Callable[[bytes], Question | _Unreadable]:
    """Reads a message, or the fact that it is none: gRPC itself would call that UNKNOWN."""

    def read(serialized: bytes) -> Question | _Unreadable:
        try:
            return deserializer(serialized) if deserializer else _Unreadable()
        except message.DecodeError:
            return _Unreadable()

    return read


def _written(
    serializer: Callable[[Answer], bytes] | None,
) -> Callable[[Answer | bytes], bytes]:
    """Writes a message; what is told to many comes written, once for all of them."""

    def write(answer: Answer | bytes) -> bytes:
        if isinstance(answer, bytes) or serializer is None:
            return cast("bytes", answer)
        return serializer(answer)

    return write


async def _taken(
    request: Question | _Unreadable, context: desk.Context, entry: Entry | None
) -> Question:
    """The request of somebody who may make it."""
    if entry is None:
        return _read(request)
    rule = await entry.require(context)
    question = _read(request)
    entry.check(question, rule)
    return question


def _read(request: Question | _Unreadable) -> Question:
    if isinstance(request, _Unreadable):
        raise errors.InvalidRequest([("", "is not a message of this method")])
    return request
