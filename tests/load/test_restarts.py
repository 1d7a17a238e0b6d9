"""Three servers are replaced one after the other under load: no runtime hears of it."""

import os
import pathlib

import pytest

from harness import postgres
from load import rolling

ROUNDS = 3 if "MOORAGE_OVERLOAD_SECONDS" in os.environ else 1


@pytest.mark.xdist_group("load")
@pytest.mark.timeout(300 * ROUNDS)
def test_a_rolling_restart_fails_no_call(
    database: postgres.Database,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MOORAGE_DRAIN_SECONDS", "1")
    with rolling.cluster(database, tmp_path) as cluster:
        with cluster.at_work():
            for each in cluster.replicas * ROUNDS:
                cluster.wait_for_calls()
                each.restart()
            cluster.wait_for_calls()
        with capsys.disabled():
            print(f"\n{rolling.SERVERS * ROUNDS} restarts: {cluster}", flush=True)
        cluster.judge()
        assert cluster.sent_again() <= max(1, cluster.through_agent / 100)
