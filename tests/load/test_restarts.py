"""Three servers are replaced one after the other under load: nobody hears of it.

The runtimes start the installed plugin for each call, of which two cores do not start two hundred
in a second; so what is asked of the servers comes from callers of the client library beside them.
"""

import os
import pathlib

import pytest

from harness import postgres
from load import clients, rolling

LONG = "MOORAGE_OVERLOAD_SECONDS" in os.environ
ROUNDS = 3 if LONG else 1
# Calls of the client in a second; who is held up makes up for it, but not for all of it.
RATE, LEAST = (240.0, 200.0) if LONG else (40.0, 10.0)


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
        with clients.calling(cluster.target, RATE) as load:
            with cluster.at_work():
                for each in cluster.replicas * ROUNDS:
                    cluster.wait_for_calls()
                    each.restart()
                cluster.wait_for_calls()
            seen = load.end()
        with capsys.disabled():
            print(f"\n{rolling.SERVERS * ROUNDS} restarts: {cluster}; {seen}", flush=True)
        cluster.judge()
        assert cluster.sent_again() <= max(1, cluster.through_agent / 100)
        assert seen.failures == []
        assert seen.sent_again <= max(1, seen.calls / 100)
        assert seen.rate >= LEAST
