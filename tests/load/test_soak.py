"""A steady load of a third of what can be served, for long: nothing of the server grows.

`make soak` goes on for an hour: MOORAGE_SOAK_SECONDS says for how many seconds. What is in use is
looked at again and again; the first part of it is not judged, while caches fill.
"""

import collections
import os
import pathlib
import statistics
import threading
from collections.abc import Sequence
from typing import NamedTuple

import psycopg
import pytest

from bench import crew
from load import ground, storm
from load.storm import ASSIGN, DONE, RELEASE, Weather

LONG = float(os.environ.get("MOORAGE_SOAK_SECONDS", "0"))
SECONDS = LONG or 60.0
LOOK_EVERY = SECONDS / 120
WARM_UP = 1 / 4  # of the looks
MEGABYTES_AN_HOUR = 3.0
# Of descriptors, threads or connections. In a minute a few connections come or go; one of each
# call would be thousands.
MORE = 2 if LONG else 20


class Look(NamedTuple):
    """What a server uses at one moment."""

    memory: float  # MiB
    descriptors: int
    threads: int
    connections: int  # of PostgreSQL


@pytest.mark.xdist_group("load")
@pytest.mark.timeout(300 + 2 * SECONDS)
def test_nothing_grows_under_a_steady_load(capsys: pytest.CaptureFixture[str]) -> None:
    with (
        ground.built() as stage,
        crew.hired() as callers,
        storm.gathered(stage.target, ground.POOL) as weather,
        psycopg.connect(stage.owner_conninfo, autocommit=True) as database,
    ):
        rate = 0.3 * ground.capacity(callers, stage).rate
        outcomes: collections.Counter[str] = collections.Counter()
        looks: list[Look] = []
        over = threading.Event()

        def watch() -> None:
            while not over.wait(LOOK_EVERY):
                looks.append(_look(stage.server_pid, database))

        watching = threading.Thread(target=watch)
        watching.start()
        try:
            # In parts: what each tells of is not kept for all of the time.
            for _ in range(20):
                part = weather.rain(Weather(rate=rate, seconds=SECONDS / 20))
                outcomes.update(part.outcomes(ASSIGN))
                outcomes.update(part.outcomes(RELEASE))
        finally:
            over.set()
            watching.join()
    steady = looks[int(WARM_UP * len(looks)) :]
    slope = _slope([each.memory for each in steady]) * 3600 / LOOK_EVERY
    with capsys.disabled():
        print(f"\n{rate:.0f} pods/s for {SECONDS:.0f} s, {len(steady)} looks of {len(looks)}")
        print(f"memory {steady[0].memory:.1f} to {steady[-1].memory:.1f} MiB, {slope:.2f} MiB/h")
        tenths = [looks[at * (len(looks) - 1) // 10].memory for at in range(11)]
        print("at each tenth of the time:", *(f"{each:.1f}" for each in tenths))
        for name in ("descriptors", "threads", "connections"):
            seen = [getattr(each, name) for each in steady]
            print(f"{name} {min(seen)} to {max(seen)}, {_trend(seen):+.1f}", flush=True)
        print(f"calls {dict(outcomes)}", flush=True)
    assert set(outcomes) == {DONE}
    for name in ("descriptors", "threads", "connections"):
        assert abs(_trend([getattr(each, name) for each in steady])) < MORE
    if LONG:
        assert slope < MEGABYTES_AN_HOUR
    else:
        # Too short for a slope: what a leak in each call would come to, it would be seen by.
        assert steady[-1].memory - steady[0].memory < 20


def _look(pid: int, database: psycopg.Connection) -> Look:
    process = pathlib.Path("/proc") / str(pid)
    status = dict(
        line.split(":", 1) for line in (process / "status").read_text().splitlines() if ":" in line
    )
    [connections] = database.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE usename = 'moorage_service'"
    ).fetchall()[0]
    return Look(
        memory=int(status["VmRSS"].split()[0]) / 1024,
        descriptors=len(os.listdir(process / "fd")),
        threads=int(status["Threads"]),
        connections=connections,
    )


def _slope(seen: Sequence[float]) -> float:
    """Of the line through them, for each look."""
    return statistics.linear_regression(range(len(seen)), seen).slope


def _trend(seen: Sequence[float]) -> float:
    """By how much the last third is above the first."""
    third = len(seen) // 3
    return statistics.median(seen[-third:]) - statistics.median(seen[:third])
