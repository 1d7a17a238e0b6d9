"""Which failed calls are sent again, how soon, and until when.

A call has one deadline for all its tries, and every try sends the same request object under the
same id. What an error is, is decided in `moorage.failures`.

Everything that `RULES` does not name is final. DEADLINE_EXCEEDED: the time was the caller's, and it
is used up. POOL_EXHAUSTED: the pool is as full a moment later, and asking at once keeps it busy.
ETAG_MISMATCH: only the caller can merge. INTERNAL: a fault does not go away by repetition.
"""

from __future__ import annotations

import logging
import os
import time
from typing import NamedTuple, TypeVar

import grpc

from moorage import errors, failures, jitter, traces
from moorage import gate as gates

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 2.0

# What the server calls the request by, in its log and in its history.
REQUEST_ID = "x-request-id"

Metadata = tuple[tuple[str, str], ...]

_LOG = logging.getLogger(__name__)
_Request = TypeVar("_Request")
_Response = TypeVar("_Response")


class Rule(NamedTuple):
    """One kind of failure that a later try can mend; `reason` None stands for any other."""

    code: grpc.StatusCode
    reason: str | None
    creates: bool
    why: str


RULES = (
    Rule(
        code=grpc.StatusCode.UNAVAILABLE,
        reason="DATABASE_UNAVAILABLE",
        creates=True,
        why="The server could not reach its database and says that nothing was changed.",
    ),
    Rule(
        code=grpc.StatusCode.UNAVAILABLE,
        reason=None,
        creates=False,
        why=(
            "The request or its answer was lost. Repeating changes nothing twice. A Create is not"
            " repeated: if its first try succeeded, the second would be told that the id is taken."
            " An update or delete with an etag may be told ETAG_MISMATCH of its own first try;"
            " `in_doubt` says so."
        ),
    ),
    Rule(
        code=grpc.StatusCode.CANCELLED,
        reason=None,
        creates=False,
        why=(
            "No caller of this client can cancel a call: a server that was about to stop, or a"
            " proxy, let go of it. What it has done is as unknown as with UNAVAILABLE."
        ),
    ),
    Rule(
        code=grpc.StatusCode.ABORTED,
        reason="CONTENTION",
        creates=True,
        why="The transaction was rolled back because another one held a lock for too long.",
    ),
    Rule(
        code=grpc.StatusCode.RESOURCE_EXHAUSTED,
        reason="SERVER_BUSY",
        creates=True,
        why="The call was turned away before anything was done for it.",
    ),
    Rule(
        code=grpc.StatusCode.RESOURCE_EXHAUSTED,
        reason="CONSUMER_TOO_SLOW",
        creates=True,
        why="A watch that fell too far behind goes on from its last cursor.",
    ),
)


def call(
    method: grpc.UnaryUnaryMultiCallable[_Request, _Response],
    request: _Request,
    *,
    timeout: float,
    creates: bool = False,
    gate: gates.Gate | None = None,
) -> _Response:
    """Call `method` until it answers, fails for good, or `timeout` seconds are over.

    Raises the error of the last try that was told one; its `in_doubt` speaks for all of them.
    """
    deadline = time.monotonic() + timeout
    request_id = new_id()
    metadata: Metadata = ((REQUEST_ID, request_id),)
    try:
        if traces.spans is None:
            return _tries(gate, method, request, deadline, metadata=metadata, creates=creates)
        with traces.spans.call(request, request_id) as carried:
            metadata += carried
            return _tries(gate, method, request, deadline, metadata=metadata, creates=creates)
    except errors.MoorageError as error:
        error.request_id = request_id
        raise


def new_id() -> str:
    """Return what a call is to be known by, which nothing else is."""
    return os.urandom(8).hex()


def _tries(
    gate: gates.Gate | None,
    method: grpc.UnaryUnaryMultiCallable[_Request, _Response],
    request: _Request,
    deadline: float,
    *,
    metadata: Metadata,
    creates: bool,
) -> _Response:
    step, in_doubt = FIRST_PAUSE, False
    told: errors.MoorageError | None = None
    while True:
        try:
            return _pass(gate, method, request, deadline, metadata)
        except errors.MoorageError as error:
            in_doubt = in_doubt or error.in_doubt
            if told is not None and error.code is grpc.StatusCode.DEADLINE_EXCEEDED:
                # That the rest of the time was too short for one more try explains nothing.
                told.in_doubt = in_doubt
                raise told from error
            error.in_doubt, told = in_doubt, error
            rule, pause = rule_of(error), pause_after(error, step)
            if rule is None or (creates and not rule.creates):
                raise
            if time.monotonic() + pause >= deadline:
                raise
            _LOG.info("%s %s; trying again in %.2f s", error.code.name, error.reason, pause)
        except ValueError:
            # The client was closed since. What was told before that says more.
            if told is None:
                raise
            raise told from None
        time.sleep(pause)
        step = min(2 * step, LONGEST_PAUSE)


def _pass(
    gate: gates.Gate | None,
    method: grpc.UnaryUnaryMultiCallable[_Request, _Response],
    request: _Request,
    deadline: float,
    metadata: Metadata,
) -> _Response:
    if gate is None:
        return _send(method, request, deadline - time.monotonic(), metadata)
    gate.enter(deadline - time.monotonic())
    failure: errors.MoorageError | None = None
    try:
        return _send(method, request, deadline - time.monotonic(), metadata)
    except errors.MoorageError as error:
        failure = error
        raise
    finally:
        gate.leave(failure)


def _send(
    method: grpc.UnaryUnaryMultiCallable[_Request, _Response],
    request: _Request,
    timeout: float,
    metadata: Metadata,
) -> _Response:
    try:
        return method(request, timeout=timeout, metadata=metadata)
    except grpc.RpcError as error:
        raise failures.from_rpc(error) from error


def rule_of(error: errors.MoorageError) -> Rule | None:
    """Return the first rule that speaks of this failure: `RULES` has the particular ones first."""
    reasons = (error.reason, None)
    return next((r for r in RULES if r.code is error.code and r.reason in reasons), None)


def pause_after(error: errors.MoorageError, step: float) -> float:
    """Return the seconds until the next try: what the server asked for, and never in step.

    The random part spreads out callers that were all turned away at the same moment.
    """
    return (error.retry_delay or 0.0) + jitter.between(step / 2, step)
