"""Fixtures of the controller's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import moorage
from controller import ground
from harness import serving
from harness.calls import create_pool


@pytest.fixture
def east(
    tmp_path: Path, server: serving.Serving, client: moorage.Client
) -> Iterator[ground.Cluster]:
    """The cluster "east" with node n1, and a pool of each family."""
    create_pool(client, "four", "10.0.0.0/24")
    create_pool(client, "six", "fd00::/120")
    with ground.cluster(tmp_path / "east", server, client) as cluster:
        cluster.kube.add_node("n1")
        yield cluster


@pytest.fixture
def west(
    tmp_path: Path, server: serving.Serving, client: moorage.Client
) -> Iterator[ground.Cluster]:
    """The cluster "west", in the same VRF."""
    with ground.cluster(tmp_path / "west", server, client, name="west") as cluster:
        yield cluster
