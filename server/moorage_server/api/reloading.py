"""Files that are read again when they have changed, and kept as they were where they are broken."""

import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

import structlog

EVERY: Final = 1.0  # seconds between two looks at whether a file has changed

T = TypeVar("T")
_State = tuple[tuple[int, ...], ...]

_log = structlog.get_logger()


class Unreadable(Exception):
    """Files cannot be read, or do not say what they should; the message names file and fault."""


class Reloaded(Generic[T]):
    """What some files say at the moment; safe to share between threads.

    Whoever writes a file may be in the middle of it: what cannot be read changes nothing, is told
    of once, and is looked at again when it has changed once more.
    """

    def __init__(self, what: str, paths: Sequence[str], read: Callable[..., T]) -> None:
        """`read` is given the content of each file, and raises ValueError; raises Unreadable."""
        self._what = what
        self._paths = tuple(paths)
        self._read = read
        self._lock = threading.Lock()
        self._look_at = time.monotonic() + EVERY
        # Before they are read: what changes meanwhile is seen the next time.
        self._state = self._look()
        self._value = self._fresh()

    def get(self) -> T:
        """What they say; looks at them at most once a second."""
        if time.monotonic() >= self._look_at:
            self._refresh()
        return self._value

    def _refresh(self) -> None:
        with self._lock:
            self._look_at = time.monotonic() + EVERY
            state = self._look()
            if state == self._state:
                return
            self._state = state
            try:
                self._value = self._fresh()
            except Unreadable as error:
                _log.error("keeps what was there before", what=self._what, why=str(error))
            else:
                _log.info("read anew", what=self._what)

    def _look(self) -> _State:
        return tuple(map(_state, self._paths))

    def _fresh(self) -> T:
        contents = [_content(self._what, path) for path in self._paths]
        try:
            return self._read(*contents)
        except ValueError as error:
            raise Unreadable(f"{self._what}, {' and '.join(self._paths)}: {error}") from error


def _state(path: str) -> tuple[int, ...]:
    try:
        found = os.stat(path)
    except OSError as error:
        return (error.errno or 0,)
    return found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_size


def _content(what: str, path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise Unreadable(
            f"{what}, {path}: {error.strerror}; put it there, readable for this user"
        ) from error
