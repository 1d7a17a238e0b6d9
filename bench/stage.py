"""What is measured: a durable PostgreSQL of our own and the installed server on it."""

import contextlib
import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

import grpc
import psycopg
from grpc_health.v1 import health_pb2, health_pb2_grpc

from bench.work import Place
from moorage_server.embedded import cluster
from moorage_server.storage import schema

PROGRAM = pathlib.Path(sys.executable).parent / "moorage-server"
# A peer opens one for each call under way, and is not to fail for want of them.
SETTINGS = ("max_connections=1500",)
START_TIMEOUT = 120.0  # seconds; several start at once, on a machine that may be busy


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A server that is ready, and the database under it; `metrics` of its first process."""

    target: str
    metrics: str
    owner_conninfo: str
    server_pid: int
    postgres_pid: int
    postgres_version: str
    postgres_settings: str
    file_system: str

    @property
    def place(self) -> Place:
        """What the load processes need to know of it."""
        return Place(target=self.target, commit_conninfo=self.owner_conninfo)


@contextlib.contextmanager
def built() -> Iterator[Stage]:
    """Everything in a directory of its own, stopped and removed at the end."""
    with ground() as laid, laid.servers(cluster.DATABASE) as [only]:
        yield only


@contextlib.contextmanager
def ground() -> Iterator["Ground"]:
    """A PostgreSQL in a directory of its own, stopped and removed at the end."""
    with contextlib.ExitStack() as until:
        state = pathlib.Path(until.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        postgres = until.enter_context(cluster.Cluster(state / "postgres", settings=SETTINGS))
        schema.migrate(postgres.url(role=cluster.OWNER_ROLE))
        laid = Ground(postgres, state)
        _make_scratch_table(laid.conninfo(cluster.DATABASE))
        yield laid


class Ground:
    """A PostgreSQL for several servers, each of which has a database of its own."""

    def __init__(self, postgres: cluster.Cluster, state: pathlib.Path) -> None:
        """Takes a running PostgreSQL, and a directory for logs."""
        self._postgres = postgres
        self._state = state

    @contextlib.contextmanager
    def servers(self, *databases: str, processes: int = 1) -> Iterator[list[Stage]]:
        """Servers that are ready, each on a database without pools; all start and end together."""
        with contextlib.ExitStack() as until:
            started = [until.enter_context(self._started(each, processes)) for each in databases]
            try:
                yield [self._ready(*each) for each in zip(databases, started, strict=True)]
            finally:
                for process in started:
                    process.terminate()

    def create(self, database: str, *, template: str = "template1") -> None:
        """A further database."""
        superuser = self._postgres.url(role=cluster.BOOTSTRAP_ROLE, database="postgres")
        with psycopg.connect(_libpq(superuser), autocommit=True) as connection:
            connection.execute(
                f"CREATE DATABASE {database} TEMPLATE {template} OWNER {cluster.OWNER_ROLE}"
            )

    def _started(self, database: str, processes: int) -> "subprocess.Popen[bytes]":
        if database != cluster.DATABASE:
            self.create(database, template=cluster.DATABASE)
        url = self._postgres.url(role=cluster.SERVICE_ROLE, database=database)
        command = [str(PROGRAM), "serve", "--database-url", url, "--listen", "127.0.0.1:0"]
        # Metrics as in production, each process's on a port that is free.
        command += ["--metrics-listen", "127.0.0.1:0", "--processes", str(processes)]
        with self._log(database).open("wb") as sink:
            # Nobody has to hear of its end first.
            environment = os.environ | {"MOORAGE_DRAIN_SECONDS": "0"}
            return subprocess.Popen(command, stderr=sink, env=environment)

    def _ready(self, database: str, process: "subprocess.Popen[bytes]") -> Stage:
        target, metrics = _bound(process, self._log(database))
        _await_ready(target)
        return Stage(
            target=target,
            metrics=metrics,
            owner_conninfo=self.conninfo(database),
            server_pid=process.pid,
            postgres_pid=self._postgres.pid,
            postgres_version=self._postgres.version,
            postgres_settings=_settings(self.conninfo(database)),
            file_system=_file_system(self._state),
        )

    def _log(self, database: str) -> pathlib.Path:
        return self._state / f"{database}.log"

    def conninfo(self, database: str) -> str:
        """For the owner of a database, as libpq wants it."""
        return _libpq(self._postgres.url(role=cluster.OWNER_ROLE, database=database))


def _libpq(url: str) -> str:
    return url.replace("postgresql+psycopg:", "postgresql:")


def _settings(conninfo: str) -> str:
    """Those that decide what a commit costs, and how many may ask for one at once."""
    names = ("fsync", "synchronous_commit", "full_page_writes", "max_connections")
    with psycopg.connect(conninfo) as connection:
        told = [connection.execute(f"SHOW {name}").fetchall()[0][0] for name in names]
    return ", ".join(f"{name} {value}" for name, value in zip(names, told, strict=True))


def _file_system(path: pathlib.Path) -> str:
    """The type of the file system that holds a path: fsync costs nothing on some."""
    mounts = [line.split()[1:3] for line in pathlib.Path("/proc/mounts").read_text().splitlines()]
    holding = [(len(at), kind) for at, kind in mounts if path.is_relative_to(at)]
    return max(holding)[1]


def _make_scratch_table(conninfo: str) -> None:
    with psycopg.connect(conninfo) as connection:
        connection.execute(
            "CREATE TABLE bench_commits (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
            " caller text NOT NULL, filler text NOT NULL)"
        )


def _bound(process: "subprocess.Popen[bytes]", log: pathlib.Path) -> tuple[str, str]:
    """The addresses that the server says it is bound to, for calls and for metrics."""
    end = time.monotonic() + START_TIMEOUT
    while time.monotonic() < end and process.poll() is None:
        for line in log.read_text().splitlines():
            said = json.loads(line)
            if said["event"] == "serving":
                metrics = said["metrics"]
                return said["address"], metrics if isinstance(metrics, str) else metrics[0]
        time.sleep(0.05)
    raise RuntimeError(f"the server did not start:\n{log.read_text()}")


def _await_ready(target: str) -> None:
    with grpc.insecure_channel(target) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        answer = health.Check(  # type: ignore[attr-defined]  # not in the stubs
            health_pb2.HealthCheckRequest(), timeout=START_TIMEOUT, wait_for_ready=True
        )
        if answer.status != health_pb2.HealthCheckResponse.SERVING:
            raise RuntimeError(f"the server at {target} is not ready")
