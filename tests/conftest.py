"""The fixtures that every kind of test shares."""

import os
import signal
import sys
from collections.abc import Iterator

import grpc
import pytest

import moorage
from harness import invariants, postgres, serving
from moorage_server import logs

# The tests start a program a thousand times: it is compiled once, also where the machine would have
# nothing written for that.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# Who starts the suite in the background may have Ctrl-C ignored; the programs of the tests hear it.
signal.signal(signal.SIGINT, signal.default_int_handler)
logs.configure(level="WARNING")
# Servers that run as programs beside each other would want the same port.
os.environ["MOORAGE_METRICS_LISTEN"] = ""
# Nobody balances calls between them; who tries what others hear of an end says how long it takes.
os.environ["MOORAGE_DRAIN_SECONDS"] = "0"
# The database of the tests is on no disk.
os.environ["MOORAGE_UNSAFE_DATABASE"] = "true"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What may take longest begins first: else the other cores wait for it at the end."""
    usual = float(str(config.getini("timeout")))
    items.sort(key=lambda item: _limit(item, usual) <= usual)


def _limit(item: pytest.Item, usual: float) -> float:
    marker = item.get_closest_marker("timeout")
    return float(marker.args[0]) if marker else usual


@pytest.fixture(scope="session")
def cluster() -> Iterator[postgres.Postgres]:
    """A PostgreSQL with the product's roles and a migrated template."""
    with postgres.running() as running:
        yield running


@pytest.fixture(scope="session")
def program() -> str:
    """The installed moorage-server."""
    return str(serving.PROGRAM)


@pytest.fixture
def database(cluster: postgres.Postgres) -> Iterator[postgres.Database]:
    """An empty database of the product; its invariants hold at the end of every test."""
    with cluster.database() as fresh:
        yield fresh
        invariants.check(fresh)


@pytest.fixture
def server(database: postgres.Database) -> Iterator[serving.Serving]:
    """A server on an empty database with the VRF "default"."""
    with serving.in_process(database) as running:
        yield running


@pytest.fixture
def channel(server: serving.Serving) -> Iterator[grpc.Channel]:
    """A channel to the server."""
    with grpc.insecure_channel(server.target) as open_channel:
        yield open_channel


@pytest.fixture
def client(server: serving.Serving) -> Iterator[moorage.Client]:
    """The SDK's client of the server."""
    with moorage.Client(server.target) as open_client:
        yield open_client
