"""The state directory: what lies where, who holds it and where the socket goes.

The processes that run on it are `postmaster`'s.
"""

import contextlib
import dataclasses
import fcntl
import hashlib
import os
import pathlib
import re
import stat
import tempfile
from collections.abc import Callable, Iterator
from typing import IO

from moorage_server.embedded import errors

# A socket's path must fit 107 bytes on Linux and 103 elsewhere, ".s.PGSQL.65535" included. A comma
# would be a list of hosts to libpq, a quote the end of a setting.
_SOCKET_DIRECTORY = re.compile(r"[A-Za-z0-9_./+-]{1,85}", re.ASCII)


@dataclasses.dataclass(frozen=True, slots=True)
class Layout:
    """Paths below one state directory."""

    root: pathlib.Path

    @property
    def data(self) -> pathlib.Path:
        return self.root / "data"

    @property
    def unfinished(self) -> pathlib.Path:
        """Where initdb works; becomes `data` by a rename, so whatever is in `data` is complete."""
        return self.root / "data.init"

    @property
    def log(self) -> pathlib.Path:
        return self.root / "postgres.log"

    @property
    def passwords(self) -> pathlib.Path:
        return self.root / "pgpass"

    @property
    def copies(self) -> pathlib.Path:
        return self.root / "binaries"

    def prepare(self) -> None:
        """Creates the directory. Raises StateDirectoryError for one that is not for this use."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = self.root.stat().st_uid
        if os.geteuid() not in {0, owner}:
            raise errors.StateDirectoryError(
                f"{self.root} belongs to uid {owner}: start as that user or choose another one"
            )
        if any(self.root.iterdir()) and not (self.root / "lock").exists():
            raise errors.StateDirectoryError(
                f"{self.root} holds other files and no cluster: name an empty or new directory"
            )

    @contextlib.contextmanager
    def explained(self) -> Iterator[None]:
        """Turns what the file system refuses into StateDirectoryError."""
        try:
            yield
        except OSError as error:
            raise errors.StateDirectoryError(
                f"cannot use {self.root} as state directory ({error}): "
                "correct that or choose another directory"
            ) from error

    def admit(self, uid: int, gid: int) -> None:
        """Lets the server's user pass through, and no more.

        It must not be able to put a link where root writes a lock, a log or a copy of the programs.
        """
        os.chown(self.root, os.geteuid(), gid)
        self.root.chmod(0o700 if uid == os.geteuid() else 0o710)

    def hand_over(self, path: pathlib.Path, uid: int, gid: int) -> None:
        """Makes a directory of the server's own, closed to everybody else."""
        path.mkdir(mode=0o700, exist_ok=True)
        status = path.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid not in {os.geteuid(), uid}:
            raise errors.StateDirectoryError(f"{path} belongs to uid {status.st_uid}: remove it")
        os.chown(path, uid, gid)

    def keep_unfinished(self) -> None:
        """Makes the finished work of initdb the data directory, and durably so."""
        self.unfinished.rename(self.data)
        directory = os.open(self.root, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def sockets(self) -> pathlib.Path:
        """The directory of the socket: inside, or elsewhere when that path is unfit for one."""
        inside = self.root / "run"
        if _SOCKET_DIRECTORY.fullmatch(str(inside)):
            return inside
        short = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]
        own = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
        runtime = "/run" if os.access("/run", os.W_OK) else own
        return pathlib.Path(runtime, f"moorage-{short}")

    @contextlib.contextmanager
    def reachable(self, uid: int, gid: int) -> Iterator[None]:
        """Keeps the directory of the socket; one elsewhere is removed in the end."""
        sockets = self.sockets()
        self.hand_over(sockets, uid, gid)
        try:
            yield
        finally:
            if sockets.parent != self.root:
                with contextlib.suppress(OSError):
                    sockets.rmdir()

    @contextlib.contextmanager
    def owned(self) -> Iterator[None]:
        """Holds the directory for this process. Raises AlreadyOwnedError if another does."""
        with self._lock_file("lock") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                owner = os.pread(lock.fileno(), 32, 0).decode().strip()
                raise errors.AlreadyOwnedError(
                    f"{self.root} is in use by process {owner or 'that is just starting'}: "
                    "stop it first, or choose another state directory"
                ) from None
            lock.truncate(0)
            lock.write(f"{os.getpid()}\n")
            lock.flush()
            yield

    @contextlib.contextmanager
    def vacated(self, hurry: Callable[[], None]) -> Iterator[int]:
        """Waits for the last process of an earlier server, after `hurry` if there is one.

        Yields the descriptor that every server process must inherit: the lock on it lasts until the
        last of them ends, whatever became of the owner and of the postmaster.
        """
        with self._lock_file("server.lock") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                hurry()
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield lock.fileno()

    def _lock_file(self, name: str) -> IO[str]:
        path = self.root / name
        path.touch(mode=0o600)
        return path.open("a+")
