"""Callers of the client library that make so many calls a second, in a process of their own.

Each is a node with a connection of its own, whose pods come and go one after the other.
"""

import contextlib
import dataclasses
import itertools
import multiprocessing
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any, Final, Self

import grpc

import moorage
from harness import calls
from moorage import channel

NODES: Final = 64
TIMEOUT: Final = 30.0  # seconds of a call, as the plugin has it


@dataclasses.dataclass(slots=True)
class Seen:
    """What became of calls."""

    calls: int = 0
    tries: int = 0
    slowest: float = 0.0
    seconds: float = 0.0
    failures: list[str] = dataclasses.field(default_factory=list)

    @property
    def rate(self) -> float:
        """Calls in a second."""
        return self.calls / self.seconds

    @property
    def sent_again(self) -> int:
        """How many tries were not the first of a call."""
        return self.tries - self.calls

    def add(self, other: Self) -> None:
        """What another caller saw."""
        self.calls += other.calls
        self.tries += other.tries
        self.slowest = max(self.slowest, other.slowest)
        self.failures += other.failures

    def __str__(self) -> str:
        """For people."""
        return (
            f"{self.calls} calls of the client, {self.rate:.0f} a second, slowest"
            f" {self.slowest:.2f} s; {self.sent_again} were sent again"
        )


class _Node(grpc.UnaryUnaryClientInterceptor):
    """One caller, who counts what is sent for its calls."""

    def __init__(self, name: str, target: str, begin: float, period: float) -> None:
        self._name, self._begin, self._period = name, begin, period
        self._channel = channel.open_channel(target)
        self._client = moorage.Client(
            timeout=TIMEOUT, channel=grpc.intercept_channel(self._channel, self)
        )
        self.seen = Seen()

    def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:  # noqa: ANN401 - of gRPC
        self.seen.tries += 1
        return continuation(details, request)

    def live(self, over: threading.Event) -> None:
        """Who is late makes up for it."""
        for number in itertools.count():
            due = self._begin + number * self._period
            if over.wait(max(due - time.monotonic(), 0.0)):
                break
            container = f"{self._name}-{number}"
            with self._counted():
                calls.assign(self._client, container, node=self._name)
            with self._counted():
                self._client.release(calls.attachment(container))
        self._client.close()
        self._channel.close()

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        except moorage.MoorageError as failure:
            self.seen.failures.append(repr(failure))
        self.seen.calls += 1
        self.seen.slowest = max(self.seen.slowest, time.monotonic() - began)


class Load:
    """The process."""

    def __init__(self, pipe: Connection) -> None:
        """Speaks to it."""
        self._pipe = pipe

    def end(self) -> Seen:
        """The last of the pods have gone."""
        self._pipe.send(None)
        seen = self._pipe.recv()
        assert isinstance(seen, Seen)
        return seen


@contextlib.contextmanager
def calling(target: str, rate: float) -> Iterator[Load]:
    """So many calls in a second are made from now on, until it is ended."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_work, args=(theirs, target, rate), daemon=True)
    process.start()
    theirs.close()
    try:
        ours.recv()  # it is up and has imported everything
        yield Load(ours)
    finally:
        ours.close()
        process.join()


def _work(pipe: Connection, target: str, rate: float) -> None:
    over, began = threading.Event(), time.monotonic()
    period = 2 * NODES / rate  # a pod is two calls
    nodes = [
        _Node(f"client-{at}", target, began + at * period / NODES, period) for at in range(NODES)
    ]
    threads = [threading.Thread(target=each.live, args=(over,)) for each in nodes]
    for each in threads:
        each.start()
    pipe.send(None)
    with contextlib.suppress(EOFError):  # nobody wants to know any more
        pipe.recv()
    over.set()
    for each in threads:
        each.join()
    seen = Seen(seconds=time.monotonic() - began)
    for node in nodes:
        seen.add(node.seen)
    with contextlib.suppress(BrokenPipeError):
        pipe.send(seen)
