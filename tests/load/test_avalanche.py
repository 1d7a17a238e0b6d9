"""As many pods as addresses ask at the same instant: each gets one, soon."""

import os

import psycopg
import pytest

from load import ground, storm
from load.storm import ASSIGN, DONE, Weather
from moorage.v1 import resources_pb2

PODS = 1000
# Beside the rest of the suite, which has the cores as well, it may take longer.
SECONDS = 10.0 if "MOORAGE_OVERLOAD_SECONDS" in os.environ else 30.0
# A /22 has 24 more, which are not to be had.
EXACT = resources_pb2.Pool(
    cidr="10.0.0.0/22",
    excluded_ranges=["10.0.0.0-10.0.0.11", "10.0.3.244-10.0.3.255"],
    block_affinity=resources_pb2.BLOCK_AFFINITY_NODE,
)
HELD = "SELECT count(*), count(DISTINCT address), count(DISTINCT attachment_uid) FROM allocations"


@pytest.mark.xdist_group("load")
def test_a_thousand_pods_at_once_on_a_thousand_addresses(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with ground.built(EXACT) as stage, storm.gathered(stage.target, ground.POOL) as weather:
        at_once = Weather(rate=PODS * 1000, seconds=0.001, hold=None, patience=2 * SECONDS)
        seen = weather.rain(at_once)
        with psycopg.connect(stage.owner_conninfo) as database:
            held = database.execute(HELD).fetchone()
    slowest = max(seen.ends(ASSIGN))
    with capsys.disabled():
        refused = seen.refusals.total()
        print(f"\n{PODS} pods: the last after {slowest:.2f} s, {refused} tries turned away")
    assert seen.outcomes(ASSIGN) == {DONE: PODS}
    assert held == (PODS, PODS, PODS)
    assert slowest <= SECONDS
