"""Where the server's CPU of a call goes: `make profile`, which brings py-spy along.

What each thread of the server uses is read from /proc, while callers call. Of those that run
Python, py-spy samples meanwhile what they are at while they run; what a thread used is divided by
that. gRPC's own threads run none. What one caller's transaction waits for is seen in a phase of its
own, in which threads are sampled that wait as well.
"""

import argparse
import collections
import contextlib
import dataclasses
import functools
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import moorage
from bench import bare_trips, crew, figures, plan, report, round_trips, server_parts, stage, usage
from bench.work import Ask, Call, Phase, Sample

RESULTS: Final = pathlib.Path(__file__).parent / "results" / "profile.md"
SAMPLER: Final = pathlib.Path(sys.executable).parent / "py-spy"
RATE: Final = 100  # samples a second; the server stands still while one is taken
WARM_UP: Final = 3.0  # seconds
SECONDS: Final = 20
POOL: Final = "flat"
NATIVE: Final = "gRPC's own threads"
MISSED: Final = 0.1  # of the server's CPU, at most, that no thread is known to have used

_TEXT: Final = """\
# Where the server's CPU of a call goes

µs of CPU for one call, by what the server's threads used in {seconds} s by /proc, and, within
those that run Python, by what they were seen at in {samples} samples. The empty call is
grpc.health.v1 Health/Check; an assign is of one address of a pool without affinity, which is kept.

"""
_TRIPS: Final = """\
## What one caller's transaction waits for

Of {assigns:,} assigns, each after the last one was answered: where the thread that runs their
transactions was seen, {samples:,} times, whether it ran or waited. A round trip is told by who
makes it; its time is PostgreSQL's, of the driver's part in C, and of both ways.

"""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one kind of call costs: seconds of CPU for each, those of the server by part."""

    title: str
    rate: float
    server: float
    postgres: float
    samples: int
    parts: Mapping[str, float]


_PHASES: Final = (
    ("empty call, 64 callers", Call.EMPTY, 64),
    ("assign, 64 callers", Call.ASSIGN, 64),
    ("assign, one caller", Call.ASSIGN, 1),
)


def main() -> int:
    """Writes the page."""
    parser = argparse.ArgumentParser(prog="bench.profile", description=__doc__)
    parser.add_argument("--output", type=pathlib.Path, default=RESULTS, help="where the page goes")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="how long each call is seen")
    options = parser.parse_args()
    load_before = os.getloadavg()[0]
    with stage.built() as built, crew.hired() as hired:
        with moorage.Client(built.target) as client:
            client.create_pool(POOL, plan.POOLS[POOL])
        seen = [_seen(built, hired, options.seconds, *phase) for phase in _PHASES]
        alone = functools.partial(_run, built, hired, callers=1, seconds=WARM_UP)
        parts = (
            _page(seen, options.seconds),
            _waits(built, hired, options.seconds),
            bare_trips.chapter(alone, built.owner_conninfo),
        )
        page = "\n".join([*parts, report.machine(built, load_before)])
    print(page, end="")
    options.output.write_text(page)
    return 0


def _seen(
    built: stage.Stage, hired: crew.Crew, seconds: int, title: str, call: Call, callers: int
) -> Seen:
    _run(built, hired, call, callers, WARM_UP)
    with _sampled(built.server_pid, seconds) as stacks:
        before = usage.look(built.server_pid, built.postgres_pid)
        threads = usage.threads(built.server_pid)
        sample = _run(built, hired, call, callers, seconds)
        used = usage.look(built.server_pid, built.postgres_pid).since(before)
        since = usage.threads(built.server_pid)
    counts = server_parts.counted(stacks)
    calls = len(sample.latencies)
    divided = divided_by(
        {thread: spent - threads.get(thread, 0.0) for thread, spent in since.items()}, counts
    )
    _require_whole(divided, used.server)
    return Seen(
        title=title,
        rate=sample.rate,
        server=used.server / calls,
        postgres=used.postgres / calls,
        samples=sum(each.total() for each in counts.values()),
        parts={part: spent / calls for part, spent in divided.items()},
    )


def _waits(built: stage.Stage, hired: crew.Crew, seconds: int) -> str:
    """The round trips of one caller's assign, as a chapter."""
    with _sampled(built.server_pid, seconds, waiting=True) as stacks:
        sample = _run(built, hired, Call.ASSIGN, 1, seconds)
    trips = round_trips.counted(stacks)
    samples = sum(trips.values())
    rows = [[trip, f"{100 * count / samples:.0f} %"] for trip, count in trips.items()]
    text = _TRIPS.format(assigns=len(sample.latencies), samples=samples)
    return text + figures.table(["round trip", "of the transaction"], rows)


@contextlib.contextmanager
def _sampled(pid: int, seconds: int, *, waiting: bool = False) -> Iterator[list[str]]:
    """Samples what runs in a process, or waits as well, for so long; then the stacks are there."""
    stacks: list[str] = []
    with tempfile.NamedTemporaryFile() as sink:
        command = [str(SAMPLER), "record", "--pid", str(pid), "--rate", str(RATE), "--threads"]
        command += ["--format", "raw", "--full-filenames", "--output", sink.name]
        command += ["--duration", str(seconds), *(["--idle"] if waiting else [])]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as spy:
            try:
                yield stacks
                _, told = spy.communicate()
            finally:
                spy.kill()
        if spy.returncode:
            raise RuntimeError(f"py-spy failed: {told.decode()}")
        stacks += sink.read().decode().splitlines()


def divided_by(
    spent: Mapping[int, float], counts: Mapping[int, Mapping[str, int]]
) -> Mapping[str, float]:
    """Seconds by part, of what each thread has spent and how often it was seen at what."""
    found: dict[str, float] = collections.defaultdict(float)
    for thread, seconds in spent.items():
        seen = {**counts.get(thread, {})}
        # Whether it runs there or waits the sampler cannot tell; what is left is what it runs.
        is_driver = seen.pop(server_parts.DRIVER, 0) > 0
        times = sum(seen.values())
        # A machine with more to do than it can has who runs wait for a core, and seen as often.
        each = min(1 / RATE, seconds / times) if is_driver and times else seconds / max(times, 1)
        for part, count in seen.items():
            found[part] += each * count
        if is_driver or not seen:
            found[server_parts.STATEMENTS if is_driver else NATIVE] += seconds - each * times
    return found


def _require_whole(divided: Mapping[str, float], server: float) -> None:
    if abs(sum(divided.values()) - server) > MISSED * server:
        raise RuntimeError(f"the server used {server:.2f} s, and its threads {divided}")


def _run(built: stage.Stage, hired: crew.Crew, call: Call, callers: int, seconds: float) -> Sample:
    asks = (Ask(ipv4=POOL),)
    sample = hired.run(
        Phase(call=call, callers=callers, seconds=seconds, place=built.place, asks=asks)
    )
    if sample.failures:
        raise RuntimeError(f"a call failed: {sample.failures[0]}")
    return sample


def _page(seen: Sequence[Seen], seconds: int) -> str:
    names = sorted(
        {part for each in seen for part in each.parts},
        key=lambda part: -max(each.parts.get(part, 0.0) for each in seen),
    )
    rows = [[part, *(_micro(each.parts.get(part, 0.0)) for each in seen)] for part in names]
    rows.append(["server, all of it", *(_micro(each.server) for each in seen)])
    rows.append(["PostgreSQL", *(_micro(each.postgres) for each in seen)])
    rows.append(["calls in a second", *(f"{each.rate:.0f}" for each in seen)])
    samples = " + ".join(f"{each.samples:,}" for each in seen)
    text = _TEXT.format(seconds=seconds, samples=samples)
    return text + figures.table(["part", *(each.title for each in seen)], rows)


def _micro(seconds: float) -> str:
    return f"{seconds * 1e6:.0f}"


if __name__ == "__main__":
    sys.exit(main())
