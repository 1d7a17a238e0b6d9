"""Fixtures of the API's tests."""

import threading
from collections.abc import Iterator

import grpc
import pytest

from harness import postgres, serving
from moorage_server.api import collector


@pytest.fixture(scope="module")
def unchanged(cluster: postgres.Postgres) -> Iterator[grpc.Channel]:
    """A channel to a server on which nothing may be changed: one for all refusals of a module."""
    with (
        cluster.database() as database,
        serving.in_process(database) as server,
        grpc.insecure_channel(server.target) as channel,
    ):
        yield channel


@pytest.fixture
def submitted(monkeypatch: pytest.MonkeyPatch) -> threading.Semaphore:
    """Released once for each assign or release that servers of this process put into a queue."""
    told, submit = threading.Semaphore(0), collector.Collector.submit

    async def seen(self: collector.Collector, *args: object) -> object:
        told.release()
        return await submit(self, *args)  # type: ignore[arg-type]  # as they came

    monkeypatch.setattr(collector.Collector, "submit", seen)
    return told
