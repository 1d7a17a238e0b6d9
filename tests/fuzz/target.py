"""What is fuzzed: a parser, what it may raise, and what one input may cost."""

import contextlib
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass

# Of one input, whatever it is. The first ones load what the parser needs, and are let off.
MOST_MEMORY = 10 << 20
WARMING_UP = 64
# A collection of garbage, or the machine: what is slow is slow again.
TRIES = 3


class Broken(Exception):
    """An input that a parser does not bear: the text says what it did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A parser as a function of bytes; what it is declared to raise is no fault.

    `longest` is how long an input may be; `seconds` how long the processor may be at it.
    """

    name: str
    feed: Callable[[bytes], None]
    declared: tuple[type[Exception], ...]
    longest: int
    seconds: float


class Watch:
    """Feeds inputs to a target and raises Broken where one costs too much.

    `patience`: how many times as long it may take, where what is fuzzed is slowed down.
    """

    def __init__(self, target: Target, *, patience: float = 1) -> None:
        self._target = target
        self._seconds = target.seconds * patience
        self._fed = 0

    def feed(self, data: bytes) -> None:
        """Feed one input; whatever is raised is a fault."""
        self._fed += 1
        before = _peak()
        seconds = self._timed(data)
        grown = _peak() - before
        if self._fed <= WARMING_UP:
            return
        if grown > MOST_MEMORY:
            raise Broken(f"{self._target.name}: {grown >> 20} MiB for {len(data)} bytes")
        if seconds > self._seconds:
            seconds = min(self._timed(data) for _ in range(TRIES))
        if seconds > self._seconds:
            raise Broken(f"{self._target.name}: {seconds:.3f} s for {len(data)} bytes")

    def _timed(self, data: bytes) -> float:
        began = time.thread_time()
        with contextlib.suppress(*self._target.declared):
            self._target.feed(data)
        return time.thread_time() - began


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
