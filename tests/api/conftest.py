"""Fixtures of the API's tests."""

from collections.abc import Iterator

import grpc
import pytest

from harness import postgres, serving


@pytest.fixture(scope="module")
def unchanged(cluster: postgres.Postgres) -> Iterator[grpc.Channel]:
    """A channel to a server on which nothing may be changed: one for all refusals of a module."""
    with (
        cluster.database() as database,
        serving.in_process(database) as server,
        grpc.insecure_channel(server.target) as channel,
    ):
        yield channel
