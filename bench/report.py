"""The result of a run as one page of Markdown."""

import importlib.metadata
import os
import pathlib
import platform
import subprocess
from collections.abc import Mapping, Sequence
from typing import Final

from bench import crew, goals, plan
from bench.chapters import Chapter, WithGoals
from bench.lab import Verdict
from bench.stage import Stage

_ROOT: Final = pathlib.Path(__file__).parents[1]
_PACKAGES: Final = ("moorage-server", "grpcio", "protobuf", "psycopg", "sqlalchemy")

_PREFACE: Final = """\
# Benchmark

Closed loop from {processes} load processes with one connection for each caller, unless told
otherwise; the load sends bytes through bare stubs, and reads answers when nothing is measured any
more, unless its next call asks for what one gave. The {plan} plan: every figure is the median of
{rounds} rounds in which all rows take turns of {seconds} s, those of a chapter in random order; a
ratio is taken within its round. What calls are compared with (an empty call, an empty pool, the
least that is held, IPv4, one process) has its turn beside each of theirs, before and after by
turns, {turns} times in a round, and the medians of both are compared. CPU is for one call, of all
processes of each side; on a shared machine it and the ratios say more than the absolute figures.
Who is told SERVER_BUSY comes again after a second, as programs do that use the client library, and
has waited meanwhile.
"""
_GOALS: Final = """\
## What is asked, and what was seen

What is missed is bold; docs/performance.md says by what it is bound. Seen is the median of all
rounds, and beside it the least and the most of them: what lies within may be noise.

"""
_NOTHING_FOUND: Final = (
    "Uniqueness: {compared} assigned addresses compared, phase by phase, with the database, or"
    " where they were released again with what other callers had at the time; all events and the"
    " server's own check of every database at the end: no address was held twice, and no call"
    " failed.\n"
)


def page(
    chapters: Sequence[Chapter],
    verdict: Verdict,
    stage: Stage,
    wanted: plan.Plan,
    *,
    load_before: float,
    charts: Mapping[str, str],
) -> str:
    """The whole page; `charts` are the files of the chapters that have one, by their titles."""
    preface = _PREFACE.format(
        processes=crew.PROCESSES,
        plan=wanted.name,
        rounds=wanted.rounds,
        seconds=wanted.seconds,
        turns=wanted.turns,
    )
    asked = [goal for each in chapters if isinstance(each, WithGoals) for goal in each.goals()]
    parts = [preface, _GOALS + goals.table(asked)]
    parts += [_chapter(each, charts.get(each.title, "")) for each in chapters]
    return "\n".join([*parts, "## The run\n", _told(verdict), machine(stage, load_before)])


def _chapter(chapter: Chapter, chart: str) -> str:
    text = f"## {chapter.title}\n\n{chapter.section()}"
    return f"{text}\n![{chapter.title}]({chart})\n" if chart else text


def _told(verdict: Verdict) -> str:
    if not verdict.findings:
        return _NOTHING_FOUND.format(compared=verdict.compared)
    shown = "\n".join(f"* {each}" for each in verdict.findings[:20])
    return f"**{len(verdict.findings)} things went wrong:**\n\n{shown}\n"


def machine(stage: Stage, load_before: float) -> str:
    """What it was measured on, a line each."""
    versions = [f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES]
    versions += [f"PostgreSQL {stage.postgres_version}", f"Python {platform.python_version()}"]
    lines = [
        _revision(),
        f"{_processor()}, {os.cpu_count()} cores, Linux {platform.release()}",
        f"load average {load_before:.1f} before, {os.getloadavg()[0]:.1f} after",
        f"{stage.postgres_settings}, data directory on {stage.file_system}",
        ", ".join(versions),
    ]
    return "".join(f"* {line}\n" for line in lines)


def _revision() -> str:
    """What was measured; the results, which are written meanwhile, are no change of it."""
    try:
        changed = _git("status", "--porcelain", "--", ".", ":!bench/results")
        return f"commit {_git('rev-parse', '--short', 'HEAD')}{', changed' if changed else ''}"
    except (OSError, subprocess.CalledProcessError):
        return "not of a git checkout"


def _git(*arguments: str) -> str:
    return subprocess.check_output(
        ["git", *arguments], cwd=_ROOT, text=True, stderr=subprocess.DEVNULL
    ).strip()


def _processor() -> str:
    found = [
        line.partition(":")[2].strip()
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return found[0] if found else platform.machine()
