"""Traces are off unless somebody wants them, load nothing then, and where on delay nobody."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import moorage
from cni import agents, program
from harness import calls, eventually, ports, postgres, serving
from moorage import telemetry
from traces import collector as collectors

# Every module that a program loads is told on its standard error, whenever it does so.
IMPORTS = {"PYTHONPROFILEIMPORTTIME": "1"}
# What a server and an agent take to end whose collector does not answer; without a limit they would
# wait for ten seconds and more.
ENDS_WITHIN = 8.0


@pytest.fixture
def deaf() -> Iterator[str]:
    """An address where somebody listens, and nobody ever answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def serve_one_add(
    database: postgres.Database, folder: Path, *options: str, **variables: str
) -> tuple[float, float]:
    """A server and an agent that serve one ADD; how long each took to end."""
    server = serving.Process(database, ports.free(), folder / "server.log")
    try:
        server.wait_ready(90)
        with moorage.Client(server.target) as client:
            calls.create_pool(client, "p", "10.0.0.0/24")
        with agents.running(folder, *options, **variables) as agent:
            ipam = {"server": server.target, "timeout_seconds": 20, "nodename": "n1"}
            stdin = program.config(ipam=ipam)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(program, "AGENT", agent)
                outcome = program.run("ADD", stdin)
            assert outcome.code == 0, outcome
            return _ending(agent.stop), _ending(server.close)
    finally:
        server.close()


def _ending(end: "object") -> float:
    began = time.monotonic()
    assert callable(end)
    end()
    return time.monotonic() - began


@pytest.mark.parametrize("traced", [False, True])
def test_nothing_of_opentelemetry_is_loaded_unless_it_is_wanted(
    database: postgres.Database,
    collector: collectors.Collector,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    traced: bool,
) -> None:
    variables = IMPORTS | collector.variables | {"MOORAGE_TRACES": str(traced).lower()}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    serve_one_add(database, tmp_path, **variables)
    for log, ours in (("server.log", "moorage_server.usecases.batch"), ("log", "moorage.retries")):
        loaded = (tmp_path / log).read_text()
        assert ours in loaded
        assert ("opentelemetry" in loaded) is traced
    assert bool(collector.spans) is traced


def test_a_collector_that_does_not_answer_delays_neither_calls_nor_the_end(
    database: postgres.Database, tmp_path: Path, deaf: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = {"MOORAGE_TRACES": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": deaf}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    took = serve_one_add(database, tmp_path, **variables)
    assert max(took) < ENDS_WITHIN


def test_spans_that_could_not_be_sent_are_told_of(
    database: postgres.Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = f"http://127.0.0.1:{ports.free()}"
    variables = {
        "MOORAGE_TRACES": "true",
        "OTEL_EXPORTER_OTLP_ENDPOINT": nowhere,
        "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
        "OTEL_BSP_SCHEDULE_DELAY": "50",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    server = serving.Process(database, ports.free(), tmp_path / "server.log")
    try:
        server.wait_ready(90)
        with moorage.Client(server.target) as client:
            calls.create_pool(client, "p", "10.0.0.0/24")
        said = tmp_path / "server.log"
        eventually.until(lambda: '"event": "spans are not sent"' in said.read_text(), 60)
    finally:
        server.close()


@pytest.mark.parametrize(
    ("module", "arguments", "extra"),
    [
        ("moorage_server.cli", ["serve", "--traces"], "moorage-server[traces]"),
        ("moorage.agent.program", ["serve", "--traces"], "moorage[traces]"),
    ],
)
def test_without_the_extra_a_program_says_what_to_install(
    module: str, arguments: list[str], extra: str, tmp_path: Path
) -> None:
    code = (
        "import sys, importlib; sys.modules['opentelemetry'] = None\n"
        f"sys.argv[1:] = {arguments}\n"
        f"importlib.import_module('{module}').main()"
    )
    assert _refused(code, module, tmp_path).endswith(f"without opentelemetry; install {extra}")


def test_another_protocol_is_refused(tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv[1:] = ['serve', '--traces']\n"
        "import moorage_server.cli as program; program.main()"
    )
    said = _refused(code, "moorage_server.cli", tmp_path, OTEL_EXPORTER_OTLP_PROTOCOL="http/json")
    assert said == (
        "moorage-server: OTEL_EXPORTER_OTLP_PROTOCOL is http/json: spans are sent by grpc; give "
        "that, or nothing"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "99999"),
    ],
)
def test_a_limit_that_is_none_is_refused(name: str, value: str, tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv[1:] = ['serve', '--traces']\n"
        "import moorage.agent.program as program; program.main()"
    )
    said = _refused(code, "moorage.agent.program", tmp_path, **{name: value})
    assert said.startswith("a variable OTEL_\\u2026 is wrong: ")


@pytest.mark.parametrize(
    "variables",
    [
        {"OTEL_EXPORTER_OTLP_PROTOCOL": ""},
        {
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        },
    ],
)
def test_the_protocol_of_traces_is_what_counts(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    telemetry.Spans("moorage-server", "1", lambda _: None).close()


def _refused(code: str, module: str, folder: Path, **variables: str) -> str:
    """What a program says last that ends with 1 as soon as it has begun."""
    if module == "moorage.agent.program":
        places = ["--socket", str(folder / "s" / "s"), "--journal", str(folder / "j")]
        code = code.replace("'--traces'", f"'--traces', *{places}")
    url = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | url | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    last = done.stderr.splitlines()[-1]
    return last.rpartition('"why": "')[2].removesuffix('"}')
