"""The result of a run as one page of Markdown: ratios first, then absolute figures."""

import importlib.metadata
import operator
import os
import pathlib
import platform
import statistics
from collections.abc import Callable, Sequence

from bench import crew, plan
from bench.rounds import Figure, Outcome
from bench.stage import Stage

_PACKAGES = ("moorage-server", "grpcio", "protobuf", "psycopg", "sqlalchemy")

_Field = Callable[[Figure], float]
_RATE: _Field = operator.attrgetter("rate")
_P50: _Field = operator.attrgetter("p50")
_P99: _Field = operator.attrgetter("p99")
_SIDES: tuple[_Field, ...] = (
    operator.attrgetter("server_cpu"),
    operator.attrgetter("postgres_cpu"),
    operator.attrgetter("load_cpu"),
)

_PREFACE = """\
# Benchmark

Closed loop from {processes} load processes with one connection for each caller; the load sends
prepared bytes through bare stubs and decodes nothing while it is measured. Every figure is the
median of {rounds} rounds of {seconds} s in which all rows take turns; a ratio is taken within
its round. The empty call is grpc.health.v1 Health/Check on the same server, which does not pass
through its error and logging boundary; the insert commit is one row into a table of the same
database, one round trip, as many connections as callers. CPU is for one call, of all processes
of each side; on a shared machine it and the ratios say more than the absolute figures.
"""
_WATCHES = """\
{callers} callers, each assigning and releasing in turn, beside so many watches from a process of
their own on the same cores. The CPU of one assign has a release and all watching in it:

"""
_NOTHING_FOUND = (
    "Uniqueness: {compared} assigned addresses compared with the database, phase by phase, and all "
    "events at the end: no address was held twice.\n"
)


def page(outcome: Outcome, stage: Stage, wanted: plan.Plan, *, load_before: float) -> str:
    """The whole page."""
    preface = _PREFACE.format(
        processes=crew.PROCESSES, rounds=wanted.rounds, seconds=wanted.seconds
    )
    parts = [preface, _calls(outcome, wanted), _fills(outcome, wanted), _watches(outcome, wanted)]
    parts.append(_verdict(outcome))
    return "\n".join([*parts, _machine(stage, load_before)])


def _calls(outcome: Outcome, wanted: plan.Plan) -> str:
    heads = ["callers", "call", "of empty call", "of insert commit", "calls/s", "p50 ms", "p99 ms"]
    heads += ["server CPU µs", "PostgreSQL CPU µs", "load CPU µs"]
    rows = []
    for callers in wanted.callers:
        empty, commit = (outcome.figures[each, callers] for each in (plan.EMPTY, plan.COMMIT))
        for scenario in plan.SCENARIOS:
            figures = outcome.figures[scenario, callers]
            ratios = [f"{_ratio(figures, empty):.2f}", f"{_ratio(figures, commit):.2f}"]
            rows.append([str(callers), scenario.title, *ratios, *_absolute(figures)])
    return _table(heads, rows)


def _fills(outcome: Outcome, wanted: plan.Plan) -> str:
    heads = [f"held of a /{wanted.fill_prefix}", "of p50 at 0 %", "p50 ms", "p99 ms"]
    baseline = outcome.fills[plan.FILLINGS[0]]
    rows = []
    for filling, figures in outcome.fills.items():
        pairs = zip(figures, baseline, strict=True)
        ratio = statistics.median(figure.p50 / base.p50 for figure, base in pairs)
        times = [_milliseconds(figures, _P50), _milliseconds(figures, _P99)]
        rows.append([f"{filling.percent} %", f"{ratio:.2f}", *times])
    return f"{plan.FILL_CALLERS} callers, each assigning and releasing in turn:\n\n" + _table(
        heads, rows
    )


def _watches(outcome: Outcome, wanted: plan.Plan) -> str:
    heads = ["watches", "of", "of the rate without", "assigns/s", "p50 ms", "p99 ms"]
    heads += ["server CPU µs", "PostgreSQL CPU µs", "load CPU µs"]
    rows = []
    for audience, rounds in outcome.watched.items():
        beside = [each.beside for each in rounds]
        ratio = _ratio(beside, [each.without for each in rounds])
        of = "everything" if audience.of_everything else "a quiet node each"
        rows.append([str(audience.watches), of, f"{ratio:.2f}", *_absolute(beside)])
    return _WATCHES.format(callers=max(wanted.callers)) + _table(heads, rows)


def _absolute(figures: Sequence[Figure]) -> list[str]:
    return [
        f"{_median(figures, _RATE):.0f}",
        _milliseconds(figures, _P50),
        _milliseconds(figures, _P99),
        *(f"{_median(figures, side) * 1e6:.0f}" for side in _SIDES),
    ]


def _milliseconds(figures: Sequence[Figure], field: _Field) -> str:
    return f"{_median(figures, field) * 1e3:.2f}"


def _median(figures: Sequence[Figure], field: _Field) -> float:
    return statistics.median(map(field, figures))


def _ratio(figures: Sequence[Figure], to: Sequence[Figure]) -> float:
    return statistics.median(a.rate / b.rate for a, b in zip(figures, to, strict=True))


def _verdict(outcome: Outcome) -> str:
    if not outcome.findings:
        return _NOTHING_FOUND.format(compared=outcome.compared)
    shown = "\n".join(f"* {each}" for each in outcome.findings[:20])
    return f"**{len(outcome.findings)} things went wrong:**\n\n{shown}\n"


def _machine(stage: Stage, load_before: float) -> str:
    versions = [f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES]
    versions += [f"PostgreSQL {stage.postgres_version}", f"Python {platform.python_version()}"]
    lines = [
        f"{_processor()}, {os.cpu_count()} cores, Linux {platform.release()}",
        f"load average {load_before:.1f} before, {os.getloadavg()[0]:.1f} after",
        f"fsync on, data directory on {stage.file_system}",
        ", ".join(versions),
    ]
    return "".join(f"* {line}\n" for line in lines)


def _processor() -> str:
    found = [
        line.partition(":")[2].strip()
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return found[0] if found else platform.machine()


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
