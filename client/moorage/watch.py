"""A watch: what is held, then every change, for as long as somebody listens.

A watch outlives its connections: where one breaks off, ends by itself or falls silent, the next one
goes on from the last cursor, through whatever server answers. What the consumer sees is one
sequence of updates, each of which follows from those before it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

import grpc

from moorage import errors, failures, retries
from moorage.v1 import history_pb2, resources_pb2

SILENCE = 45.0  # seconds: a server says something every thirty
_NOTHING_SAID = "the watch ended before it said anything; check that the server is one of Moorage"

_LOG = logging.getLogger(__name__)


class _Stream(Protocol):
    """A call under way, as gRPC gives it."""

    def __next__(self) -> history_pb2.WatchAllocationsResponse: ...
    def __iter__(self) -> Iterator[history_pb2.WatchAllocationsResponse]: ...
    def cancel(self) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """What has happened since the update before.

    `held` is None, or everything that is held at `cursor`, in place of whatever was known: a
    snapshot is always whole. Without `held` and `events` nothing has happened. Save `cursor` with
    what was made of the update.
    """

    cursor: history_pb2.Cursor
    events: tuple[history_pb2.AllocationEvent, ...] = ()
    held: tuple[resources_pb2.Allocation, ...] | None = None


class Watch:
    """An iterator of updates, without end; close it when you have seen enough.

    It raises `moorage.CursorLost` where the server cannot go on from the cursor, and any other
    `moorage.MoorageError` that a later try does not mend. With a `timeout`, also what failed last,
    once no server has said anything for so many seconds. `close` may be called from any thread; a
    watch ends with its client, too.
    """

    def __init__(
        self,
        method: grpc.UnaryStreamMultiCallable[
            history_pb2.WatchAllocationsRequest, history_pb2.WatchAllocationsResponse
        ],
        request: history_pb2.WatchAllocationsRequest,
        *,
        timeout: float | None = None,
    ) -> None:
        self._method = method
        self._request = request
        self._timeout = timeout
        self._closed = threading.Event()
        self._stream: _Stream | None = None
        self._heard = 0.0  # when it last said anything, or was listened to again
        self._updates = self._all()

    def __iter__(self) -> Self:
        """Return the watch itself."""
        return self

    def __next__(self) -> Update:
        """Wait for the next update."""
        return next(self._updates)

    def __enter__(self) -> Self:
        """Return the watch itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """End it; whoever waits for an update sees the end."""
        self._closed.set()
        stream = self._stream
        if stream is not None:
            stream.cancel()

    def _all(self) -> Iterator[Update]:
        step, self._heard = retries.FIRST_PAUSE, time.monotonic()
        while not self._closed.is_set():
            failure, before = None, self._heard
            try:
                yield from self._connection()
            except errors.MoorageError as error:
                failure = error
            if self._closed.is_set():
                return
            if self._heard > before:
                step = retries.FIRST_PAUSE
                if failure is None:
                    continue  # it has been long enough, or the server is about to go
            nothing = errors.Unavailable(grpc.StatusCode.UNAVAILABLE, "", _NOTHING_SAID)
            self._closed.wait(self._pause(failure or nothing, step))
            step = min(2 * step, retries.LONGEST_PAUSE)

    def _pause(self, failure: errors.MoorageError, step: float) -> float:
        """Return the seconds until the next connection; raises what none can mend."""
        if retries.rule_of(failure) is None:
            raise failure
        pause = retries.pause_after(failure, step)
        if self._timeout is not None and time.monotonic() + pause >= self._heard + self._timeout:
            raise failure
        _LOG.info("%s %s; watching again in %.2f s", failure.code.name, failure.reason, pause)
        return pause

    def _connection(self) -> Iterator[Update]:
        """Yield the updates of one connection, which leaves its cursor for the next."""
        request_id = retries.new_id()
        metadata = ((retries.REQUEST_ID, request_id),)
        try:
            stream = self._stream = self._method(self._request, metadata=metadata)
        except ValueError:
            if self._stream is None:
                raise  # it was closed before anything was watched, which nobody means
            self._closed.set()
            return
        if self._closed.is_set():
            stream.cancel()
        snapshot = None if self._request.HasField("cursor") else _Snapshot()
        with _Watchdog(stream, SILENCE, request_id) as watchdog:
            for message in watchdog.messages():
                if snapshot is not None:
                    snapshot.held += message.held
                if message.HasField("cursor"):
                    self._request.cursor.CopyFrom(message.cursor)
                    yield Update(
                        cursor=message.cursor,
                        events=tuple(message.events),
                        held=None if snapshot is None else tuple(snapshot.held),
                    )
                    snapshot = None
                self._heard = time.monotonic()


@dataclass(slots=True)
class _Snapshot:
    """What has come of one; half of it is dropped with its connection."""

    held: list[resources_pb2.Allocation] = field(default_factory=list)


class _Watchdog:
    """Reads a stream, and ends it when it says nothing for too long while somebody listens."""

    def __init__(self, stream: _Stream, seconds: float, request_id: str) -> None:
        self._stream = stream
        self._seconds = seconds
        self._request_id = request_id
        self._listening_since: float | None = None
        self._has_barked = False
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._guard, name="moorage-watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._done.set()
        self._stream.cancel()  # whoever has seen enough leaves nothing running

    def messages(self) -> Iterator[history_pb2.WatchAllocationsResponse]:
        """Yield what the stream says; raises a MoorageError."""
        while True:
            self._listening_since = time.monotonic()
            try:
                message = next(self._stream, None)
            except grpc.RpcError as error:
                if self._has_barked:
                    raise self._silent() from error
                raise failures.from_rpc(error, self._request_id) from error
            self._listening_since = None
            if message is None:
                return
            yield message

    def _guard(self) -> None:
        while not self._done.wait(min(1.0, self._seconds / 4)):
            since = self._listening_since
            if since is not None and time.monotonic() - since > self._seconds:
                self._has_barked = True
                self._stream.cancel()
                return

    def _silent(self) -> errors.Unavailable:
        text = f"nothing was heard for {self._seconds:g} seconds; the server says more than that"
        return errors.Unavailable(grpc.StatusCode.UNAVAILABLE, "", text)
