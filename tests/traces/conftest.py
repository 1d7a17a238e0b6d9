"""Installed programs that trace what they do, and the collector that they send it to."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import moorage
from harness import calls, ports, postgres, serving
from traces import collector as collectors


@pytest.fixture
def collector() -> Iterator[collectors.Collector]:
    """A collector for one test."""
    with collectors.running() as running:
        yield running


@pytest.fixture
def server(
    database: postgres.Database,
    collector: collectors.Collector,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[serving.Process]:
    """The program, which traces every call."""
    for name, value in collector.variables.items():
        monkeypatch.setenv(name, value)
    process = serving.Process(database, ports.free(), tmp_path / "server.log")
    try:
        process.wait_ready(90)
        yield process
    finally:
        process.close()


@pytest.fixture
def client(server: serving.Process) -> Iterator[moorage.Client]:
    """The SDK's client, in this process, which traces nothing."""
    with moorage.Client(server.target) as client:
        calls.create_pool(client, "p", "10.0.0.0/24")
        yield client
