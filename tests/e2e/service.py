"""The installed server on a Unix socket, which no network namespace hides, to stop and start."""

import contextlib
import pathlib
import subprocess
import tempfile
from collections.abc import Iterator

import grpc

from e2e import ipams
from harness import invariants, postgres

START_TIMEOUT_S = 60


class Service:
    """A moorage-server that is up until it is stopped, on a database that outlives it."""

    def __init__(self, database: postgres.Database, directory: pathlib.Path) -> None:
        """Nothing runs yet; socket and log lie in the directory."""
        self.database = database
        self.target = f"unix://{directory}/moorage.sock"
        self._log = directory / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it answers."""
        options = ("--database-url", self.database.service_url, "--listen", self.target)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                (ipams.PROGRAMS / "moorage-server", "serve", *options), stdout=log, stderr=log
            )
        with grpc.insecure_channel(self.target) as channel:
            grpc.channel_ready_future(channel).result(timeout=START_TIMEOUT_S)

    def stop(self) -> None:
        """Ends it as an operator would; returns when it has."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=START_TIMEOUT_S)
        self._process = None

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Nobody answers until it is over."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def releases(self, container_id: str) -> int:
        """How many addresses of the container have ever been released."""
        query = """SELECT count(*) FROM events
            WHERE kind = 'RELEASED' AND container_id = :container_id"""
        count = self.database.scalar(query, container_id=container_id)
        assert isinstance(count, int)
        return count


@contextlib.contextmanager
def running(cluster: postgres.Postgres) -> Iterator[Service]:
    """A server that is up, on a database of its own, whose invariants hold at the end."""
    # A short path, which the name of a Unix socket must be.
    with tempfile.TemporaryDirectory(prefix="moorage-") as path, cluster.database() as database:
        started = Service(database, pathlib.Path(path))
        try:
            started.start()
            yield started
        finally:
            started.stop()
        invariants.check(database)
