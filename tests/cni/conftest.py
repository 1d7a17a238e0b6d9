"""Fixtures of the CNI plugin's tests."""

import concurrent.futures
from collections.abc import Iterator

import pytest

import moorage
from cni import agents, program, scripted
from cni.fleet import Fleet
from harness import serving, waits


@pytest.fixture(scope="session")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[agents.Agent]:
    """An agent for all tests that do it no harm."""
    with agents.running(tmp_path_factory.mktemp("agent")) as running:
        yield running


@pytest.fixture(params=["direct", "agent"])
def host(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the handler runs in: a process of its own for each call, or the agent of the node."""
    kind = str(request.param)
    if kind == "agent":
        monkeypatch.setattr(program, "AGENT", request.getfixturevalue("agent"))
    return kind


@pytest.fixture
def script() -> Iterator[scripted.Script]:
    """A server that answers what the test writes down."""
    with scripted.serve() as running:
        yield running


@pytest.fixture
def fleet(server: serving.Serving, client: moorage.Client) -> Fleet:
    """The nodes of a cluster, with a server and without a pool."""
    return Fleet(server, client)


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> waits.Watch:
    """Sees ADDs begin to wait, which are then woken by news alone."""
    waits.nobody_looks_again(monkeypatch)
    return waits.watch(monkeypatch)


@pytest.fixture
def threads() -> Iterator[concurrent.futures.ThreadPoolExecutor]:
    """Threads for calls that run side by side."""
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        yield pool
