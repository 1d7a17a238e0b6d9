"""Pods that come at a fixed rate, whatever becomes of those before: an open loop.

Each asks for an address when its moment has come, holds it for a while and releases it. A latency
counts from when a call was due, however late it was sent, until all its tries had come to
something. What the server says no to is counted under the reason that it gave.
"""

import array
import asyncio
import collections
import contextlib
import dataclasses
import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from typing import Final

import grpc
import grpc.aio

from bench import messages
from bench.callers import OWN_CONNECTION
from bench.work import Ask
from load import refusals
from load.doors import Door
from moorage import gate, jitter

PROCESSES: Final = 2
# Of each process. Each has a connection of its own, on which fewer calls wait than are let in.
NODES: Final = 64
LEAD: Final = 0.1  # seconds from the word to the start
TIMEOUT: Final = 30.0  # seconds of one call

ASSIGN: Final = "assign"
RELEASE: Final = "release"
DONE: Final = "OK"
_PATHS: Final = {
    ASSIGN: "/moorage.v1.AllocationService/AssignAddresses",
    RELEASE: "/moorage.v1.AllocationService/ReleaseAddresses",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """So many pods a second, each of which holds its address for so long, or for good.

    A pod that `heeds` does as callers of the client library do: it waits for its turn at the gate
    of its node, and comes again after the delay it is told. Others send once, whatever was told.
    """

    rate: float
    seconds: float
    hold: float | None = 0.5
    heeds: bool = True
    patience: float = 4.0  # of a pod that comes again when it is turned away
    start: float = 0.0


class Seen:
    """What became of calls: when each was due, and how long it took, by kind and outcome."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.due: dict[tuple[str, str], array.array[float]] = collections.defaultdict(_floats)
        self.took: dict[tuple[str, str], array.array[float]] = collections.defaultdict(_floats)
        self.refusals: collections.Counter[str] = collections.Counter()  # of tries
        self.late = 0.0  # how late one was begun, at most: the load's own fault

    def add(self, kind: str, outcome: str, due: float, now: float) -> None:
        """One call."""
        self.due[kind, outcome].append(due)
        self.took[kind, outcome].append(now - due)

    def merge(self, other: "Seen", start: float) -> None:
        """Adds what another saw, on a clock that begins at `start`."""
        for key, due in other.due.items():
            self.due[key].extend(each - start for each in due)
            self.took[key].extend(other.took[key])
        self.refusals += other.refusals
        self.late = max(self.late, other.late)

    def outcomes(self, kind: str) -> dict[str, int]:
        """How many calls of a kind came to what."""
        return {outcome: len(took) for (of, outcome), took in self.took.items() if of == kind}

    def ends(self, kind: str) -> list[float]:
        """When each call of a kind that was served had come to its end."""
        return [due + took for due, took in zip(*self._done(kind), strict=True)]

    def latencies(self, kind: str, begin: float = 0.0, end: float = float("inf")) -> list[float]:
        """Of the calls that were served and were due between these."""
        pairs = zip(*self._done(kind), strict=True)
        return [took for due, took in pairs if begin <= due < end]

    def _done(self, kind: str) -> "tuple[array.array[float], array.array[float]]":
        return self.due[kind, DONE], self.took[kind, DONE]


def _floats() -> "array.array[float]":
    return array.array("d")


class _Cloud:
    """The pods of one process."""

    def __init__(self, target: str, pool: str, at: int) -> None:
        self._ask = Ask(ipv4=pool)
        self._at = at
        self._count = 0
        self._doors = [Door() for _ in range(NODES)]
        self._channels = [
            grpc.aio.insecure_channel(target, options=OWN_CONNECTION) for _ in range(NODES)
        ]
        self._methods: list[dict[str, grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]]] = [
            {kind: each.unary_unary(path) for kind, path in _PATHS.items()}
            for each in self._channels
        ]

    async def rain(self, weather: Weather) -> Seen:
        """Lets pods come for so long; returns when the last of them has gone."""
        seen = Seen()
        async with asyncio.TaskGroup() as group:
            for number in range(int(weather.rate * weather.seconds)):
                due = weather.start + number / weather.rate
                # Who is late lets those who were sent be heard all the same.
                await asyncio.sleep(max(due - time.monotonic(), 0.0))
                group.create_task(self._live(seen, due, weather))
        return seen

    async def _live(self, seen: Seen, due: float, weather: Weather) -> None:
        seen.late = max(seen.late, time.monotonic() - due)
        self._count += 1
        node = self._count % NODES
        holder = messages.attachment(f"storm-{os.getpid()}-{self._count}")
        request = messages.assign(holder, self._ask, f"node-{self._at}-{node}", 0)
        if weather.heeds:
            outcome = await self._ask_again(seen, node, request, due + weather.patience)
        else:
            outcome, _ = await self._call(seen, node, ASSIGN, request)
        seen.add(ASSIGN, outcome, due, time.monotonic())
        if outcome == DONE and weather.hold is not None:
            await asyncio.sleep(weather.hold)
            await self._release(seen, node, messages.release(holder))

    async def _ask_again(self, seen: Seen, node: int, request: bytes, until: float) -> str:
        door = self._doors[node]
        while await door.enter(until):
            outcome, delay = await self._call(seen, node, ASSIGN, request)
            door.leave("" if outcome == DONE else outcome)
            pause = delay + jitter.between(0.05, 0.1)
            if outcome != gate.REASON or time.monotonic() + pause >= until:
                return outcome
            await asyncio.sleep(pause)
        return gate.REASON

    async def _release(self, seen: Seen, node: int, request: bytes) -> None:
        due = time.monotonic()
        outcome = gate.REASON
        while outcome == gate.REASON:
            outcome, delay = await self._call(seen, node, RELEASE, request)
            await asyncio.sleep(delay)
        seen.add(RELEASE, outcome, due, time.monotonic())

    async def _call(self, seen: Seen, node: int, kind: str, request: bytes) -> tuple[str, float]:
        """What it came to, and how long the server wants to be left alone."""
        try:
            await self._methods[node][kind](request, timeout=TIMEOUT)
        except grpc.aio.AioRpcError as error:
            reason, delay = refusals.told(error)
            seen.refusals[reason] += 1
            return reason, delay
        return DONE, 0.0

    async def close(self) -> None:
        await asyncio.gather(*(each.close() for each in self._channels))


class Storm:
    """The processes together."""

    def __init__(self, pipes: Sequence[Connection]) -> None:
        """Speaks to them through their pipes."""
        self._pipes = pipes

    def rain(self, weather: Weather) -> Seen:
        """All of it, on a clock that begins with it."""
        start = time.monotonic() + LEAD
        share = dataclasses.replace(weather, rate=weather.rate / len(self._pipes), start=start)
        for pipe in self._pipes:
            pipe.send(share)
        seen = Seen()
        for pipe in self._pipes:
            seen.merge(pipe.recv(), start)
        return seen


@contextlib.contextmanager
def gathered(target: str, pool: str) -> Iterator[Storm]:
    """Processes of their own interpreter, gone at the end."""
    spawn = multiprocessing.get_context("spawn")
    with contextlib.ExitStack() as until:
        pipes = []
        for at in range(PROCESSES):
            ours, theirs = spawn.Pipe()
            process = spawn.Process(target=_work, args=(theirs, target, pool, at), daemon=True)
            process.start()
            theirs.close()
            until.callback(process.join)
            until.callback(ours.close)
            pipes.append(ours)
        for pipe in pipes:
            pipe.recv()  # it is up and has imported everything
        yield Storm(pipes)


def _work(pipe: Connection, target: str, pool: str, at: int) -> None:
    asyncio.run(_obey(pipe, target, pool, at))


async def _obey(pipe: Connection, target: str, pool: str, at: int) -> None:
    cloud = _Cloud(target, pool, at)
    pipe.send(None)
    # Waiting for the next word blocks the loop, which has nothing to do meanwhile.
    with contextlib.suppress(EOFError):
        while True:
            pipe.send(await cloud.rain(pipe.recv()))
    await cloud.close()
