"""A server in a process of its own, its log, and that of its PostgreSQL."""

import contextlib
import json
import os
import pathlib
import sys
from collections.abc import Iterator

import pytest

from harness import ports, postgres, serving

TESTS = pathlib.Path(__file__).resolve().parents[1]


class Log:
    """A file that others write, from where it was looked at last."""

    def __init__(self, path: pathlib.Path) -> None:
        """Begins at its end."""
        self._path = path
        self._seen = path.stat().st_size

    def unseen(self) -> str:
        """What was written since; all of it is text."""
        with self._path.open("rb") as file:
            file.seek(self._seen)
            written = file.read()
        self._seen += len(written)
        return written.decode()


class Stage:
    """Where the server listens, what it has logged, and how much memory it has."""

    def __init__(self, target: str, pid: int, log: Log) -> None:
        """Belongs to a process that runs."""
        self.target, self.pid, self._log = target, pid, log

    def logged(self) -> list[dict[str, object]]:
        """The lines since the last look; each is one event, and steers no terminal."""
        return [json.loads(line) for line in self.said()]

    def said(self) -> list[str]:
        """The same as it is written, with what gRPC's own code says beside it."""
        *lines, rest = self._log.unseen().split("\n")
        assert not rest
        assert all(line.isprintable() for line in lines), lines
        return lines

    def memory(self) -> int:
        """How many bytes of it are in memory."""
        pages = pathlib.Path(f"/proc/{self.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGESIZE")


@contextlib.contextmanager
def on_stage(database: postgres.Database, folder: pathlib.Path) -> Iterator[Stage]:
    """A server that tells of every call."""
    path = folder / "server.log"
    program = [sys.executable, str(TESTS / "hostile" / "loud.py")]
    process = serving.Process(database, ports.free(), path, program=program)
    try:
        process.wait_ready(60)
        yield Stage(process.target, process.process.pid, Log(path))
        assert process.process.poll() is None, path.read_text()[-4000:]
    finally:
        process.close()


def log_of(cluster: postgres.Postgres) -> Log:
    """What PostgreSQL writes; skips where that is not here to be read."""
    if "DATABASE_URL" in os.environ:
        pytest.skip("the log of the PostgreSQL of DATABASE_URL cannot be read")
    with cluster.database() as database:
        folder = pathlib.Path(str(database.scalar("SHOW data_directory")))
    return Log(folder.parent / "postgres.log")
