"""A connection with TLS that goes on as another one once the files of its certificates change.

gRPC takes a caller's certificate with the connection and never again, so a program that lives
longer than its certificate needs a new one. Calls that are under way stay where they began. A token
goes with each call, as its file has it then.
"""

# ruff: noqa: ANN401 - what gRPC's own methods take goes through as it is

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import grpc

from moorage import tls

EVERY = 1.0  # seconds between two looks at whether a file has changed

_LOG = logging.getLogger(__name__)
_Open = Callable[[tls.Content], grpc.Channel]


class _Connection:
    """One that was opened with certain certificates, and how many calls it carries."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.channel = channel
        self._lock = threading.Lock()
        self._calls = 0
        self._is_left = False

    @property
    def is_used(self) -> bool:
        """Whether calls are under way on it."""
        return self._calls > 0

    def enter(self) -> None:
        """A call begins."""
        with self._lock:
            self._calls += 1

    def leave(self) -> None:
        """A call has ended."""
        with self._lock:
            self._calls -= 1
            is_over = self._is_left and not self._calls
        if is_over:
            self.channel.close()

    def give_up(self) -> None:
        """There is another one: this ends with its last call."""
        self.enter()
        self._is_left = True
        self.leave()


class _Token:
    """What a file says as it is now, or as it was where it is no use."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._look_at = time.monotonic() + EVERY
        self._state = tls.state((path,))
        self._text = tls.token(path)

    def get(self) -> str:
        with self._lock:
            if time.monotonic() >= self._look_at:
                self._refresh()
            return self._text

    def _refresh(self) -> None:
        self._look_at = time.monotonic() + EVERY
        state = tls.state((self._path,))
        if state == self._state:
            return
        self._state = state
        try:
            self._text = tls.token(self._path)
        except tls.Unusable as error:
            _LOG.warning("goes on with the token of before: %s", error)


class Channel(grpc.Channel):
    """Calls go over the newest connection."""

    def __init__(self, files: tls.Tls, open_connection: _Open) -> None:
        """Raises tls.Unusable."""
        self._files = files
        self._open = open_connection
        self._lock = threading.Lock()
        self._look_at = time.monotonic() + EVERY
        # Before they are read: what changes meanwhile is seen the next time.
        self._state = tls.state(files.paths)
        self._token = _Token(files.token) if files.token else None
        self._connection = _Connection(open_connection(tls.settled(files)))
        self._before: list[_Connection] = []  # with calls that are under way
        self._is_closed = False

    def begin(self) -> _Connection:
        """Return the connection of a call that begins, which leaves it.

        Raises ValueError where it is closed, as gRPC's own does; to make a method of one that is
        closed ends the process.
        """
        with self._lock:
            if self._is_closed:
                raise ValueError("Cannot invoke RPC on closed channel!")
            if time.monotonic() >= self._look_at:
                self._refresh()
            self._connection.enter()
            return self._connection

    def with_token(self, more: dict[str, Any]) -> dict[str, Any]:
        """Return what a call is made with, and the token, where there is one, in its metadata."""
        if self._token is None:
            return more
        shown = ("authorization", f"Bearer {self._token.get()}")
        return more | {"metadata": (*(more.get("metadata") or ()), shown)}

    def _refresh(self) -> None:
        self._look_at = time.monotonic() + EVERY
        state = tls.state(self._files.paths)
        if state == self._state:
            return
        self._state = state
        try:
            content = tls.read(self._files)
        except tls.Unusable as error:
            _LOG.warning("goes on with the certificates of before: %s", error)
            return
        self._before = [each for each in (*self._before, self._connection) if each.is_used]
        before, self._connection = self._connection, _Connection(self._open(content))
        before.give_up()

    def close(self) -> None:
        """Close it; calls still running fail."""
        with self._lock:
            self._is_closed = True
            for each in (self._connection, *self._before):
                each.channel.close()

    def __enter__(self) -> Channel:
        """Return the channel itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def unary_unary(self, *args: Any, **kwargs: Any) -> grpc.UnaryUnaryMultiCallable[Any, Any]:
        """Return a method."""
        return _One(self, lambda channel: channel.unary_unary(*args, **kwargs))

    def unary_stream(self, *args: Any, **kwargs: Any) -> grpc.UnaryStreamMultiCallable[Any, Any]:
        """Return a method."""
        return _Many(self, lambda channel: channel.unary_stream(*args, **kwargs))

    def stream_unary(self, *args: Any, **kwargs: Any) -> grpc.StreamUnaryMultiCallable[Any, Any]:
        """Return a method of the present connection: no server of ours has such."""
        return self._connection.channel.stream_unary(*args, **kwargs)

    def stream_stream(self, *args: Any, **kwargs: Any) -> grpc.StreamStreamMultiCallable[Any, Any]:
        """Return a method of the present connection: reflection alone has such."""
        return self._connection.channel.stream_stream(*args, **kwargs)

    def subscribe(self, *args: Any, **kwargs: Any) -> None:
        """Tell of the present connection."""
        self._connection.channel.subscribe(*args, **kwargs)

    def unsubscribe(self, *args: Any, **kwargs: Any) -> None:
        """Tell of it no more."""
        self._connection.channel.unsubscribe(*args, **kwargs)


class _Method:
    """A method of whichever connection is the newest."""

    def __init__(self, channel: Channel, make: Callable[[grpc.Channel], Any]) -> None:
        self._channel = channel
        self._make = make
        self._made: tuple[_Connection | None, Any] = (None, None)

    def _of(self, connection: _Connection) -> Any:
        made_for, method = self._made
        if made_for is not connection:
            method = self._make(connection.channel)
            self._made = (connection, method)
        return method

    def _under_way(self, start: Callable[..., Any], more: dict[str, Any]) -> Any:
        """Return a call that leaves its connection when it ends."""
        connection = self._channel.begin()
        try:
            call = start(self._of(connection), **self._channel.with_token(more))
        except BaseException:
            connection.leave()
            raise
        if not call.add_callback(connection.leave):
            connection.leave()
        return call

    def _done(self, make: Callable[..., Any], more: dict[str, Any]) -> Any:
        """Return what a call has come to."""
        connection = self._channel.begin()
        try:
            return make(self._of(connection), **self._channel.with_token(more))
        finally:
            connection.leave()


class _One(_Method, grpc.UnaryUnaryMultiCallable):  # type: ignore[type-arg]  # of any messages
    """A method that answers once."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._done(lambda method, **more: method(*args, **more), kwargs)

    def with_call(self, *args: Any, **kwargs: Any) -> Any:
        return self._done(lambda method, **more: method.with_call(*args, **more), kwargs)

    def future(self, *args: Any, **kwargs: Any) -> Any:
        return self._under_way(lambda method, **more: method.future(*args, **more), kwargs)


class _Many(_Method, grpc.UnaryStreamMultiCallable):  # type: ignore[type-arg]  # likewise
    """A method that answers again and again."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._under_way(lambda method, **more: method(*args, **more), kwargs)
