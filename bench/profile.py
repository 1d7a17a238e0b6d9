"""Where the server's CPU of an assign goes: `make profile`, which brings py-spy along.

Callers assign for a while. What each thread of the server uses is read from /proc. Who has the
interpreter's lock is sampled meanwhile, and counted by the part that its function belongs to.
What a thread uses without the lock is done in C.
"""

import argparse
import collections
import contextlib
import dataclasses
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from typing import Final

import moorage
from bench import crew, figures, parts, plan, stage, usage
from bench.work import Ask, Call, Phase

RESULTS: Final = pathlib.Path(__file__).parent / "results" / "profile.md"
SAMPLER: Final = pathlib.Path(sys.executable).parent / "py-spy"
RATE: Final = 100  # samples a second; the server stands still while one is taken
CALLERS: Final = 64
WARM_UP: Final = 5.0  # seconds
SECONDS: Final = 30.0
POOL: Final = "node"

GRPC: Final = "the call itself: gRPC's core, without the lock"
LIBPQ: Final = "statements sent, their rows read: libpq and the system, without the lock"

_TEXT: Final = """\
# Where the server's CPU of an assign goes

{callers} callers, {nodes} nodes, {rate:.0f} assigns a second for {seconds:.0f} s. For each the
server used {server:.0f} µs of CPU, and PostgreSQL {postgres:.0f} µs. Of the server's, by its
threads in /proc and {samples} samples of who had the interpreter's lock:

"""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was seen of a server under load: seconds of CPU by part."""

    calls: int
    rate: float
    postgres: float
    samples: int
    seconds: Mapping[str, float]


def main() -> int:
    """Writes the page."""
    parser = argparse.ArgumentParser(prog="bench.profile", description=__doc__)
    parser.add_argument("--output", type=pathlib.Path, default=RESULTS, help="where the page goes")
    output = parser.parse_args().output
    with stage.built() as built, crew.hired() as callers:
        with moorage.Client(built.target) as client:
            client.create_pool(POOL, plan.POOLS[POOL])
        callers.run(_phase(built, WARM_UP))
        page = _page(_watched(built, callers))
    print(page, end="")
    output.write_text(page)
    return 0


def _watched(built: stage.Stage, callers: crew.Crew) -> Seen:
    with tempfile.NamedTemporaryFile() as sink:
        with _sampling(built.server_pid, sink.name):
            before = usage.look(built.server_pid, built.postgres_pid)
            threads = usage.threads(built.server_pid)
            sample = callers.run(_phase(built, SECONDS))
            used = usage.look(built.server_pid, built.postgres_pid).since(before)
            since = usage.threads(built.server_pid)
        counts = parts.counted(sink.read().decode().splitlines())
    if sample.failures:
        raise RuntimeError(f"a call failed: {sample.failures[0]}")
    spent = {thread: seconds - threads.get(thread, 0.0) for thread, seconds in since.items()}
    return Seen(
        calls=len(sample.latencies),
        rate=sample.rate,
        postgres=used.postgres,
        samples=sum(each.total() for each in counts.values()),
        seconds=divided(spent, counts, main=built.server_pid),
    )


@contextlib.contextmanager
def _sampling(pid: int, sink: str) -> Iterator[None]:
    """Samples a process for as long as the load takes; what was seen is in the file at the end."""
    command = [str(SAMPLER), "record", "--pid", str(pid), "--rate", str(RATE), "--gil", "--threads"]
    command += ["--format", "raw", "--full-filenames", "--output", sink]
    command += ["--duration", str(int(SECONDS))]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    yield
    _, told = process.communicate()
    if process.returncode:
        raise RuntimeError(f"py-spy failed: {told.decode()}")


def divided(
    spent: Mapping[int, float], counts: Mapping[int, Mapping[str, int]], *, main: int
) -> Mapping[str, float]:
    """Seconds by part: what was sampled of each thread, the rest being what it does in C."""
    found: dict[str, float] = collections.defaultdict(float)
    for thread, seconds in spent.items():
        seen = counts.get(thread, {})
        rest = seconds - sum(seen.values()) / RATE
        # Those that never have the lock are gRPC's own.
        found[LIBPQ if seen and thread != main else GRPC] += max(rest, 0.0)
        for part, count in seen.items():
            found[part] += count / RATE
    return found


def _phase(built: stage.Stage, seconds: float) -> Phase:
    return Phase(
        call=Call.ASSIGN,
        callers=CALLERS,
        nodes=plan.NODES,
        seconds=seconds,
        place=built.place,
        asks=(Ask(ipv4=POOL),),
    )


def _page(seen: Seen) -> str:
    text = _TEXT.format(
        callers=CALLERS,
        nodes=plan.NODES,
        rate=seen.rate,
        seconds=SECONDS,
        server=sum(seen.seconds.values()) / seen.calls * 1e6,
        postgres=seen.postgres / seen.calls * 1e6,
        samples=f"{seen.samples:,}",
    )
    whole = sum(seen.seconds.values())
    rows = [
        [part, f"{seconds / seen.calls * 1e6:.0f}", f"{seconds / whole:.0%}"]
        for part, seconds in sorted(seen.seconds.items(), key=lambda each: -each[1])
    ]
    return text + figures.table(["part", "µs", "share"], rows)


if __name__ == "__main__":
    sys.exit(main())
