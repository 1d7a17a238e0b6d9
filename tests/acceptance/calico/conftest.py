"""Fixtures of the acceptance table of Calico's behaviour."""

from collections.abc import Iterator

import grpc
import pytest

from acceptance.calico import stage as stages
from harness import invariants, postgres, serving

pytest.register_assert_rewrite("acceptance.calico.ground", "acceptance.calico.checks")


@pytest.fixture(scope="module")
def theatre(cluster: postgres.Postgres) -> Iterator[stages.Theatre]:
    """One server and database for all rows of a module; its invariants hold at the end."""
    with cluster.database() as database:
        with (
            serving.in_process(database) as server,
            grpc.insecure_channel(server.target) as channel,
        ):
            yield stages.Theatre(server, channel)
        invariants.check(database)


@pytest.fixture
def stage(theatre: stages.Theatre) -> stages.Stage:
    """A VRF of its own for one row."""
    return theatre.stage()
