"""One phase in one load process: what every caller does until it is over, and what was seen."""

import asyncio
import collections
import itertools
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final

import grpc
import grpc.aio
import psycopg

from bench import messages, sequences
from bench.sequences import Caller
from bench.work import Ask, Call, Holding, Phase, Sample
from moorage.v1 import resources_pb2 as resources

REFUSED: Final = "POOL_EXHAUSTED"

Held = collections.deque[bytes]  # what releases them


class Loop:
    """The work of a phase, and its latencies.

    A latency is counted from when the call was due: at once in a closed loop, and in an open one
    when its turn had come, however late it was sent.
    """

    def __init__(self, phase: Phase, held: Held) -> None:
        """`held` has those that hold addresses; it outlives the phase."""
        self._phase = phase
        self._held = held
        self._left = phase.calls
        self._latencies: list[float] = []
        self._answers: list[bytes] = []
        self._meanwhile: list[tuple[bytes, float, float]] = []
        self._refusals: list[grpc.aio.Metadata] = []
        self._failures: list[str] = []
        self._ends: list[float] = []
        self._step = _STEPS[phase.call]

    async def run(self, callers: Sequence[Caller]) -> None:
        """Until the phase is over."""
        if self._phase.rate is None:
            await asyncio.gather(*map(self._turns, callers))
        else:
            await self._open(callers, self._phase.rate)

    def sample(self, cpu: float, turned_away: int) -> Sample:
        """What was seen; reading the answers is left until nothing is measured any more."""
        assigned = map(messages.assigned, self._answers)
        answered, lasted = self._throughput()
        return Sample(
            latencies=tuple(self._latencies),
            assigned=tuple(itertools.chain.from_iterable(assigned)),
            holdings=tuple(self._holdings()),
            failures=(*self._failures, *self._other_refusals()),
            answered=answered,
            lasted=lasted,
            cpu=cpu,
            turned_away=turned_away,
        )

    def _throughput(self) -> tuple[int, float]:
        """How many were answered while it went on, and how long that was.

        What is answered after its end is not counted: by then others are done, and do not call any
        more. A phase without an answer in time lasts until it has had the last one.
        """
        last = max(self._ends, default=self._phase.start)
        end = min(self._phase.start + self._phase.seconds, last)
        in_time = sum(each <= end for each in self._ends)
        if not in_time:
            in_time, end = len(self._ends), last
        return in_time, end - self._phase.start

    def _holdings(self) -> Iterator[Holding]:
        is_peer = self._phase.call is Call.PEER
        for answer, began, ended in self._meanwhile:
            told = [messages.peer_given(answer)] if is_peer else messages.assigned(answer)
            yield from (Holding(address, began, ended) for address in told)

    def _other_refusals(self) -> Iterator[str]:
        reasons = map(messages.reason, self._refusals)
        return (f"refused for {each!r}, not {REFUSED}" for each in reasons if each != REFUSED)

    async def _turns(self, caller: Caller) -> None:
        end = self._phase.start + self._phase.seconds
        # At least one each: on a busy machine a short phase may be over when it is begun.
        while self._take():
            await self._one(caller, time.monotonic())
            if time.monotonic() >= end:
                break

    async def _open(self, callers: Sequence[Caller], rate: float) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(int(rate * self._phase.seconds)):
                due = self._phase.start + number / rate
                await asyncio.sleep(due - time.monotonic())
                group.create_task(self._one(callers[number % len(callers)], due))

    async def _one(self, caller: Caller, due: float) -> None:
        try:
            await self._step(self, caller, due)
        except grpc.aio.AioRpcError as error:
            self._failures.append(f"{error.code().name}: {error.details()}")
        except (psycopg.Error, sequences.NotRefusedError) as error:
            self._failures.append(str(error))

    def _take(self) -> bool:
        if self._phase.call is Call.RELEASE and not self._held:
            return False
        if self._left is None:
            return True
        self._left -= 1
        return self._left >= 0

    async def _empty(self, caller: Caller, due: float) -> None:
        await caller.call("empty", b"")
        self._answered(due)

    async def _commit(self, caller: Caller, due: float) -> None:
        await caller.commit()
        self._answered(due)

    async def _assign(self, caller: Caller, due: float) -> None:
        holder, request = self._next(caller)
        self._answers.append(await caller.call("assign", request))
        self._answered(due)
        self._held.append(messages.release(holder))

    async def _release(self, caller: Caller, due: float) -> None:
        await caller.call("release", self._held.popleft())
        self._answered(due)

    async def _replace(self, caller: Caller, due: float) -> None:
        await caller.call("release", self._held.popleft())
        await self._assign(caller, due)

    async def _refusal(self, caller: Caller, due: float) -> None:
        _, request = self._next(caller)
        try:
            await caller.call("assign", request)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                raise
            self._answered(due)
            self._refusals.append(error.trailing_metadata())
        else:
            self._failures.append("the pool is full and yet gave an address")

    async def _pair(self, caller: Caller, due: float) -> None:
        holder, request = self._next(caller)
        answer = await caller.call("assign", request)
        began, release = self._answered(due), messages.release(holder)
        await self._hold(began, answer)
        await caller.call("release", release)

    async def _mix(self, caller: Caller, due: float) -> None:
        holder, request = self._next(caller)
        answer = await caller.call("assign", request)
        began, look_up = self._answered(due), messages.look_up(answer)
        due = time.monotonic()
        await caller.call("look_up", look_up)
        self._answered(due)
        await self._hold(began, answer)
        due = time.monotonic()
        await caller.call("release", messages.release(holder))
        self._answered(due)

    async def _peer(self, caller: Caller, due: float) -> None:
        prefix = self._ask(caller).ipv4
        answer = await caller.call("peer_acquire", messages.peer_acquire(prefix))
        began, release = self._answered(due), messages.peer_release(prefix, answer)
        await self._hold(began, answer)
        await caller.call("peer_release", release)

    async def _sequence(self, caller: Caller, due: float) -> None:
        await sequences.SEQUENCES[self._phase.call](caller, self._ask(caller))
        self._answered(due)

    def _answered(self, due: float) -> float:
        now = time.monotonic()
        self._latencies.append(now - due)
        self._ends.append(now)
        return now

    async def _hold(self, began: float, answer: bytes) -> None:
        """Until the release is sent; after that another caller may be told the same.

        Everybody whose answer is there reads it first, so who was told the same at once has it
        at once.
        """
        await asyncio.sleep(0)
        self._meanwhile.append((answer, began, time.monotonic()))

    def _next(self, caller: Caller) -> tuple[resources.Attachment, bytes]:
        return caller.next_assign(
            self._ask(caller), node=f"node-{caller.number % self._phase.nodes}"
        )

    def _ask(self, caller: Caller) -> Ask:
        return self._phase.asks[caller.number % len(self._phase.asks)]


_STEPS: dict[Call, Callable[[Loop, Caller, float], Awaitable[None]]] = {
    Call.EMPTY: Loop._empty,
    Call.COMMIT: Loop._commit,
    Call.ASSIGN: Loop._assign,
    Call.RELEASE: Loop._release,
    Call.REFUSAL: Loop._refusal,
    Call.PAIR: Loop._pair,
    Call.MIX: Loop._mix,
    Call.REPLACE: Loop._replace,
    Call.PEER: Loop._peer,
    **dict.fromkeys(sequences.SEQUENCES, Loop._sequence),
}
