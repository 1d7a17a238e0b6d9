"""The load processes, seen from the coordinator: a phase goes out, one sample comes back."""

import asyncio
import contextlib
import dataclasses
import itertools
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection

from bench.callers import Callers
from bench.work import Phase, Sample

PROCESSES = 2
LEAD = 0.03  # seconds from the word to the start: every process is waiting by then


class Crew:
    """Processes that share the callers of a phase."""

    def __init__(self, pipes: "Sequence[Connection[Phase, Sample]]") -> None:
        """Speaks to them through their pipes."""
        self._pipes = pipes

    def run(self, phase: Phase) -> Sample:
        """The work of every process together."""
        start = time.monotonic() + LEAD
        shares = [
            (pipe, callers, _share(phase.calls, at, len(self._pipes)))
            for at, pipe in enumerate(self._pipes)
            if (callers := _share(phase.callers, at, len(self._pipes)))
        ]
        for pipe, callers, calls in shares:
            rate = phase.rate and phase.rate / len(shares)
            share = dataclasses.replace(phase, callers=callers, calls=calls, rate=rate, start=start)
            pipe.send(share)
        return _together([pipe.recv() for pipe, _, _ in shares])


@contextlib.contextmanager
def hired() -> Iterator[Crew]:
    """Processes of their own interpreter, gone at the end."""
    spawn = multiprocessing.get_context("spawn")
    with contextlib.ExitStack() as until:
        pipes = []
        for at in range(PROCESSES):
            ours, theirs = spawn.Pipe()
            process = spawn.Process(target=_work, args=(theirs, at), daemon=True)
            process.start()
            theirs.close()
            until.callback(process.join)
            until.callback(ours.close)
            pipes.append(ours)
        for pipe in pipes:
            pipe.recv()  # it is up and has imported everything
        yield Crew(pipes)


def _work(pipe: "Connection[Sample, Phase]", at: int) -> None:
    asyncio.run(_obey(pipe, Callers(at, PROCESSES)))


async def _obey(pipe: "Connection[Sample, Phase]", callers: Callers) -> None:
    pipe.send(Sample())
    # Waiting for the next word blocks the loop, which has nothing to do meanwhile.
    with contextlib.suppress(EOFError):
        while True:
            pipe.send(await callers.run(pipe.recv()))
    await callers.close()


def _share(whole: int | None, at: int, of: int) -> int | None:
    return None if whole is None else whole // of + (at < whole % of)


def _together(samples: Sequence[Sample]) -> Sample:
    chained = itertools.chain.from_iterable
    return Sample(
        latencies=tuple(chained(each.latencies for each in samples)),
        assigned=tuple(chained(each.assigned for each in samples)),
        holdings=tuple(chained(each.holdings for each in samples)),
        failures=tuple(chained(each.failures for each in samples)),
        answered=sum(each.answered for each in samples),
        lasted=max(each.lasted for each in samples),
        cpu=sum(each.cpu for each in samples),
        turned_away=sum(each.turned_away for each in samples),
    )
