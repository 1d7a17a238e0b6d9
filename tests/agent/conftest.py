"""A node of its own for each test: its agent, and a server that can be away."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import moorage
from agent.node import Node
from cni import agents
from harness import proxy, serving
from harness.calls import create_pool


@pytest.fixture(scope="session")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[agents.Agent]:
    """An agent for all tests that do it no harm."""
    with agents.running(tmp_path_factory.mktemp("agent")) as running:
        yield running


@pytest.fixture
def own(tmp_path: Path) -> Iterator[agents.Agent]:
    """An agent that a test may do anything to."""
    with agents.running(tmp_path) as running:
        yield running


@pytest.fixture
def way(server: serving.Serving) -> Iterator[proxy.Proxy]:
    """The way to the server, which can be cut."""
    with proxy.in_front_of(int(server.target.rpartition(":")[2])) as between:
        yield between


@pytest.fixture
def node(own: agents.Agent, way: proxy.Proxy, client: moorage.Client) -> Node:
    """A node whose server has a pool."""
    create_pool(client, "a", "10.0.0.0/24")
    return Node(agent=own, way=way, client=client)
