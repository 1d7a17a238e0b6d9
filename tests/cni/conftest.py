"""Fixtures of the CNI plugin's tests."""

import concurrent.futures
from collections.abc import Iterator

import pytest

import moorage
from cni import scripted
from cni.fleet import Fleet
from harness import serving, waits


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
