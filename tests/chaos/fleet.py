"""Nodes in processes of their own, and the pipes through which they tell what they saw."""

import collections
import contextlib
import dataclasses
import multiprocessing
import threading
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection

from chaos.lines import Lines
from chaos.nodes import Node
from chaos.records import Call, Outcome, Told, Verb

AT_ONCE = 16  # calls told of in one message
SETTLED = 180.0  # seconds after which nodes that have not come to rest never will


class NeverAtRest(Exception):
    """Something stays in doubt, although nothing is wrong any more."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a node tells: calls that have ended; at rest, what it has, or why it has no rest."""

    node: str
    calls: tuple[Call, ...] = ()
    has: dict[str, Told] | None = None
    failure: str = ""


class _Member:
    """One node and its thread, in the process of several."""

    def __init__(
        self, name: str, seed: int, targets: Sequence[str], tell: Callable[[Report], None]
    ) -> None:
        self._calls: list[Call] = []
        self._name, self._tell = name, tell
        self._lines = Lines(targets, self._note)
        self._node = Node(name, seed, self._lines)

    def run(self, stop: threading.Event) -> None:
        """Lives until it is told to stop, then comes to rest."""
        try:
            while not stop.is_set():
                self._node.step()
            has = self._node.settle()
        except Exception as error:  # it is the runner's to judge
            self._tell(Report(node=self._name, calls=tuple(self._calls), failure=repr(error)))
            raise
        self._tell(Report(node=self._name, calls=tuple(self._calls), has=has))
        self._calls.clear()

    def _note(self, call: Call) -> None:
        self._calls.append(call)
        if len(self._calls) >= AT_ONCE:
            self._tell(Report(node=self._name, calls=tuple(self._calls)))
            self._calls.clear()


def live(names: Sequence[str], seed: int, targets: Sequence[str], pipe: Connection) -> None:
    """What a process does: a message begins a round, the next one ends it; False ends it all."""
    lock = threading.Lock()

    def tell(report: Report) -> None:
        with lock:
            pipe.send(report)

    members = [_Member(name, seed, targets, tell) for name in names]
    with contextlib.suppress(EOFError):
        while pipe.recv():
            stop = threading.Event()
            threads = [threading.Thread(target=each.run, args=(stop,)) for each in members]
            for each in threads:
                each.start()
            try:
                pipe.recv()
            finally:
                stop.set()
                for each in threads:
                    each.join()


class Fleet:
    """All nodes; `calls` are those of the present round."""

    def __init__(
        self, targets: Sequence[str], seed: int, *, processes: int = 2, nodes: int = 6
    ) -> None:
        """Starts the processes; nobody lives yet."""
        spawn = multiprocessing.get_context("spawn")
        self._names = [f"n{at}" for at in range(nodes)]
        self._pipes: list[Connection] = []
        self._processes = []
        self.calls: list[Call] = []
        self.has: dict[str, Told] = {}
        self._done = 0  # calls that were acknowledged
        self._newest = self._mark = 0  # generations: the highest told of, and when it was looked at
        self._given: collections.Counter[int] = collections.Counter()  # behind that, by server
        self._at_rest: dict[str, str] = {}
        self._news = threading.Condition()
        for at in range(processes):
            ours, theirs = spawn.Pipe()
            names = self._names[at::processes]
            process = spawn.Process(target=live, args=(names, seed, list(targets), theirs))
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)
            threading.Thread(target=self._hear, args=(ours,), daemon=True).start()

    def begin(self) -> None:
        """Everybody lives."""
        self.calls, self.has, self._at_rest = [], {}, {}
        self._tell()

    def come_to_rest(self) -> None:
        """Returns when nobody does anything, and everybody knows what it has."""
        self._tell()
        with self._news:
            rested = self._news.wait_for(
                lambda: self._failed or len(self._at_rest) == len(self._names), timeout=SETTLED
            )
        if self._failed or not rested:
            raise NeverAtRest(self._failed or f"only {sorted(self._at_rest)} have come to rest")

    def progress(self, count: int, *, seconds: float) -> bool:
        """Waits until so many more calls were acknowledged; whether they were in time."""
        with self._news:
            wanted = self._done + count
            return self._news.wait_for(lambda: self._done >= wanted, timeout=seconds)

    def assigned_by(self, server: int, count: int, *, seconds: float) -> bool:
        """Waits until a server has made so many new assignments; whether they were in time."""
        with self._news:
            self._mark = self._newest
            self._given.clear()
            return self._news.wait_for(lambda: self._given[server] >= count, timeout=seconds)

    def close(self) -> None:
        """Ends the processes."""
        for each in self._pipes:
            # The first ends a round that is still on.
            with contextlib.suppress(OSError):
                each.send(False)
                each.send(False)
        for process in self._processes:
            process.join(timeout=20)
            if process.is_alive():
                process.kill()
                process.join()

    @property
    def _failed(self) -> dict[str, str]:
        """Who will never come to rest, and why."""
        return {node: why for node, why in self._at_rest.items() if why}

    def _tell(self) -> None:
        for each in self._pipes:
            each.send(True)

    def _hear(self, pipe: Connection) -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                report: Report = pipe.recv()
                with self._news:
                    self._take(report)
                    self._news.notify_all()

    def _take(self, report: Report) -> None:
        self.calls += report.calls
        for call in report.calls:
            self._done += call.outcome is Outcome.DONE
            if call.asked.verb is Verb.ASSIGN and call.told:
                generation = call.told[-1][1]
                self._given[call.server] += generation > self._mark
                self._newest = max(self._newest, generation)
        if report.has is not None or report.failure:
            self.has |= report.has or {}
            self._at_rest[report.node] = report.failure


@contextlib.contextmanager
def of(targets: Sequence[str], seed: int, *, nodes: int) -> Iterator[Fleet]:
    """Nodes, until the end."""
    fleet = Fleet(targets, seed, nodes=nodes)
    try:
        yield fleet
    finally:
        fleet.close()
