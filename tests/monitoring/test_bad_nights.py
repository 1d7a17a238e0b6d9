"""What an operator is told, and after how long, when something is wrong: `make alerts`.

A real Prometheus watches two installed servers while a pool fills, a server stands still, and
PostgreSQL is killed. It takes minutes, since alerts wait for what passes by itself.
"""

import contextlib
import os
import pathlib
import signal
import threading
from collections.abc import Iterator

import pytest

import moorage
from harness import calls, ports, postgres, serving
from monitoring import watcher
from moorage_server.embedded import cluster
from moorage_server.storage import schema

LONG = "MOORAGE_LIVE_ALERTS" in os.environ
ADDRESSES = 16


@pytest.fixture
def running(tmp_path: pathlib.Path) -> Iterator[cluster.Cluster]:
    """A PostgreSQL of its own, to be killed."""
    started = cluster.Cluster(tmp_path / "state")
    started.start()
    schema.migrate(started.url(role=cluster.OWNER_ROLE))
    yield started
    started.stop()


@contextlib.contextmanager
def refused(client: moorage.Client) -> Iterator[None]:
    """Meanwhile pods ask for what is not there, a few each second."""
    over = threading.Event()

    def ask() -> None:
        while not over.wait(0.3):
            with contextlib.suppress(moorage.Exhausted):
                calls.assign(client, "one-too-many")

    asking = threading.Thread(target=ask)
    asking.start()
    yield
    over.set()
    asking.join()


@pytest.mark.skipif(not LONG, reason="takes a quarter of an hour: `make alerts`")
@pytest.mark.timeout(1500)
def test_what_is_told_and_after_how_long(
    running: cluster.Cluster,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    admin = postgres.Postgres(running.url(role=cluster.BOOTSTRAP_ROLE))
    database = postgres.Database(admin, cluster.DATABASE)
    metrics = [f"127.0.0.1:{ports.free()}" for _ in range(2)]
    told: dict[str, dict[str, float]] = {}
    with contextlib.ExitStack() as until:
        until.callback(database.close)
        servers = []
        for at, address in enumerate(metrics):
            monkeypatch.setenv("MOORAGE_METRICS_LISTEN", address)
            log = tmp_path / f"server-{at}.log"
            servers.append(serving.Process(database, ports.free(), log))
            until.callback(servers[-1].close)
            servers[-1].wait_ready(120)
        client = until.enter_context(moorage.Client(servers[0].target, timeout=30))
        calls.create_pool(client, "a", "10.0.0.0/28", block_size=28)
        watching = until.enter_context(watcher.of(metrics, tmp_path))
        assert watching.firing() == set()

        for each in range(ADDRESSES):
            calls.assign(client, f"c{each}")
        with refused(client):
            told["a pool is full"] = watching.until(
                "MooragePoolFull", "MoorageRefusesForWantOfAddresses", seconds=400
            )
        for each in range(ADDRESSES):
            calls.release(client, f"c{each}")
        told["addresses are back"] = {"nothing": watching.until_quiet(400)}

        os.kill(servers[1].process.pid, signal.SIGSTOP)
        told["a server stands still"] = watching.until("MoorageDown", seconds=150)
        os.kill(servers[1].process.pid, signal.SIGCONT)
        told["it goes on"] = {"nothing": watching.until_quiet(60)}

        os.killpg(os.getpgid(running.pid), signal.SIGKILL)
        told["PostgreSQL is killed"] = watching.until(
            "MoorageNobodyServes", "MoorageNotReady", seconds=150
        )
        running.stop()
        running.start()
        told["PostgreSQL is there again"] = {"nothing": watching.until_quiet(400)}
    with capsys.disabled():
        for what, alerts in told.items():
            fired = ", ".join(f"{name} after {after:.0f} s" for name, after in alerts.items())
            print(f"\n{what}: {fired}", end="", flush=True)
