"""How much longer calls take beside peers that do not speak as they should.

`make hostile` asks it of every way to speak: MOORAGE_HOSTILE_SECONDS says for how long each time.
Pods come and go at a third of the rate that can be served, by turns alone and beside four peers
that say all they have to say every other second; each way has three such pairs of turns. The
peers use processors of the same machine, so what is seen is more than what a server of its own
would have to bear; what is more than twice is marked. Every call has to be served.
"""

import os
import statistics
import time
from typing import NamedTuple

import pytest

from bench import crew, usage
from hostile import peers
from load import ground, storm
from load.storm import ASSIGN, DONE, RELEASE, Seen, Weather

LONG = float(os.environ.get("MOORAGE_HOSTILE_SECONDS", "0"))
SECONDS = LONG or 2.0
TURNS = 3 if LONG else 1
WAYS = peers.WAYS if LONG else ("garbage", "streams_out_of_order")
EVERY = 2.0  # seconds
ENOUGH = 2.0  # times the p99 of turns without peers


class Turn(NamedTuple):
    """What was seen in some seconds; times in seconds, CPU of the server's processor."""

    p50: float
    p99: float
    cpu: float


@pytest.mark.xdist_group("load")
@pytest.mark.timeout(300 + len(WAYS) * TURNS * (2 * SECONDS + 30))
def test_calls_take_their_time_beside_peers(capsys: pytest.CaptureFixture[str]) -> None:
    with (
        ground.built() as stage,
        crew.hired() as callers,
        storm.gathered(stage.target, ground.POOL) as weather,
    ):
        rate = 0.3 * ground.capacity(callers, stage).rate

        def turn() -> Turn:
            began, used = time.monotonic(), usage.look(stage.server_pid, stage.postgres_pid)
            seen = weather.rain(Weather(rate=rate, seconds=SECONDS, hold=0.1))
            used = usage.look(stage.server_pid, stage.postgres_pid).since(used)
            return _turn(seen, used.server / (time.monotonic() - began))

        for name in WAYS:
            alone, beside = [], []
            for _ in range(TURNS):
                usage.await_rest(stage.server_pid)  # of what peers left to do
                alone.append(turn())
                with peers.spoken_again(stage.target, peers.WAYS[name], every=EVERY):
                    beside.append(turn())
            with capsys.disabled():
                print(_row(name, rate, alone, beside), flush=True)


def _turn(seen: Seen, cpu: float) -> Turn:
    assert set(seen.outcomes(ASSIGN)) == {DONE}
    assert set(seen.outcomes(RELEASE)) == {DONE}
    latencies = seen.latencies(ASSIGN) + seen.latencies(RELEASE)
    return Turn(statistics.median(latencies), statistics.quantiles(latencies, n=100)[98], cpu)


def _row(name: str, rate: float, alone: list[Turn], beside: list[Turn]) -> str:
    """For people; times in milliseconds."""
    pairs = zip(beside, alone, strict=True)
    slowed = statistics.median(each.p99 / other.p99 for each, other in pairs)
    kinds = (("alone", alone), ("beside", beside))
    told = [
        f"{kind}: p50 {p50 * 1e3:.1f} p99 {p99 * 1e3:.1f} ms, {cpu:.0%} CPU"
        for kind, turns in kinds
        for p50, p99, cpu in [map(statistics.median, zip(*turns, strict=True))]
    ]
    mark = " !" if slowed > ENOUGH else ""
    return f"\n{name} at {rate:.0f} pods/s: {slowed:.2f} times{mark}; " + "; ".join(told)
