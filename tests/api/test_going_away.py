"""A server that is told to end: who hears of it, what it still does, when it gives up."""

import contextlib
import os
import pathlib
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

import moorage
from harness import calls, ports, postgres, serving
from harness.several import Command
from moorage_server.api import health


def asked(metrics: str, path: str) -> int:
    """The status that is answered over HTTP."""
    try:
        with urllib.request.urlopen(f"http://{metrics}{path}", timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@pytest.fixture
def patient(
    database: postgres.Database, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[serving.Process, str]]:
    """A server that waits long until others have heard of its end, and where its health is."""
    metrics = f"127.0.0.1:{ports.free()}"
    monkeypatch.setenv("MOORAGE_DRAIN_SECONDS", "100")
    monkeypatch.setenv("MOORAGE_METRICS_LISTEN", metrics)
    process = serving.Process(database, ports.free(), tmp_path / "log")
    process.wait_ready()
    try:
        yield process, metrics
    finally:
        process.kill()
        process.close()


def until(seen: int, metrics: str, path: str) -> None:
    end = time.monotonic() + 20
    while asked(metrics, path) != seen:
        assert time.monotonic() < end


def test_it_lives_and_serves_while_others_hear_that_it_is_not_ready(
    patient: tuple[serving.Process, str],
) -> None:
    process, metrics = patient
    assert (asked(metrics, "/livez"), asked(metrics, "/readyz")) == (200, 200)
    with grpc.insecure_channel(process.target) as channel, moorage.Client(process.target) as client:
        process.process.send_signal(signal.SIGTERM)
        until(503, metrics, "/readyz")
        assert asked(metrics, "/livez") == 200
        check = health_pb2_grpc.HealthStub(channel).Check  # type: ignore[attr-defined]  # not in the stubs
        assert check(health_pb2.HealthCheckRequest()).status == (
            health_pb2.HealthCheckResponse.NOT_SERVING
        )
        calls.create_pool(client, "a", "10.0.0.0/24")
        assert calls.addresses_of(calls.assign(client, "c1")) == ["10.0.0.0"]
        process.process.send_signal(signal.SIGTERM)  # somebody is in a hurry
        assert process.process.wait(timeout=30) == 0


def test_whoever_goes_away_is_not_ready_again_whatever_a_look_comes_to() -> None:
    present = health.Health()
    present.note(ready=True)
    assert present.is_ready
    present.leave()
    present.note(ready=True)
    assert not present.is_ready


def test_ctrl_c_waits_for_nobody_to_hear_of_it(patient: tuple[serving.Process, str]) -> None:
    process, _ = patient
    process.process.send_signal(signal.SIGINT)
    assert process.process.wait(timeout=30) == 0


def test_several_processes_go_away_together(
    database: postgres.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOORAGE_DRAIN_SECONDS", "100")
    url = ["--database-url", database.service_url]
    with contextlib.closing(
        Command(*url, "--processes", "2", "--metrics-listen", "127.0.0.1:0")
    ) as command:
        command.process.terminate()
        for each in command.metrics:
            until(503, each, "/readyz")
            assert asked(each, "/livez") == 200
        command.process.terminate()
        assert command.end()[0] == 0


def test_it_ends_even_if_the_database_never_answers_again(
    database: postgres.Database, tmp_path: pathlib.Path
) -> None:
    # The limit of the installed program is too long for a test: its modules are started by hand.
    program = "; ".join(
        (
            "import sys",
            "from moorage_server.processes import one",
            "from moorage_server import cli",
            "one.GRACE, one.LAST_TRANSACTIONS = 1.0, 1.0",
            "sys.argv[1:] = ['serve']",
            "cli.main()",
        )
    )
    target = f"127.0.0.1:{ports.free()}"
    environment = os.environ | {"DATABASE_URL": database.service_url, "MOORAGE_LISTEN": target}
    with subprocess.Popen(
        [serving.PROGRAM.with_name("python"), "-c", program], env=environment
    ) as process:
        with grpc.insecure_channel(target) as channel:
            grpc.channel_ready_future(channel).result(timeout=30)
        with moorage.Client(target) as client:
            calls.create_pool(client, "a", "10.0.0.0/24")
        with database.frozen():
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=60) == 0


def test_one_whose_database_freezes_lives_and_is_not_ready(database: postgres.Database) -> None:
    with serving.in_process(database, metrics_listen="127.0.0.1:0") as running:
        assert asked(running.metrics, "/readyz") == 200
        with database.frozen():
            until(503, running.metrics, "/readyz")
            assert asked(running.metrics, "/livez") == 200
        until(200, running.metrics, "/readyz")


def test_one_whose_loop_hangs_does_not_live(
    database: postgres.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving.in_process(database, metrics_listen="127.0.0.1:0") as running:
        assert asked(running.metrics, "/livez") == 200
        monkeypatch.setattr(health, "SILENCE", -1.0)
        assert (asked(running.metrics, "/livez"), asked(running.metrics, "/readyz")) == (503, 503)
