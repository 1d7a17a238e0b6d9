"""Whether a server traces what it does, and the seam by which every layer tells what it is at.

Loads nothing of OpenTelemetry. Where nobody switched traces on, `spans` is None, and whoever would
have told something has looked that up and done no more.
"""

import contextlib
import contextvars
import functools
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Final, Protocol, TypeVar

T = TypeVar("T")
Attributes = Mapping[str, str | int | bool]


class Spans(Protocol):
    """What makes spans: `moorage.telemetry`, which the layers need not know."""

    def step(self, name: str, attributes: Attributes = ...) -> AbstractContextManager[None]:
        """A part of what is traced at present; nothing where nothing is, as behind all calls."""


spans: Spans | None = None

UNTRACED: Final[AbstractContextManager[None]] = contextlib.nullcontext()


def step(name: str, attributes: Attributes) -> AbstractContextManager[None]:
    """A part of a call."""
    return UNTRACED if spans is None else spans.step(name, attributes)


def carried(work: Callable[[], T]) -> Callable[[], T]:
    """The same work, for another thread: what is traced here goes on there."""
    if spans is None:
        return work
    return functools.partial(contextvars.copy_context().run, work)
