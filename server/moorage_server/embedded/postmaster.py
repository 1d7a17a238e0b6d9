"""PostgreSQL's processes: how they are run, watched and ended. What is inside them is `roles`'."""

import contextlib
import dataclasses
import os
import pathlib
import re
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO

from moorage_server.embedded import binaries, errors, identity

_LOOK_EVERY = 0.05  # seconds between two looks at a starting server
_FAST_STOP = 30.0  # seconds for open transactions to roll back and the checkpoint to be written
_TAIL = 20  # lines of the log in an error
_LARGE_LOG = 16 * 1024 * 1024
_RECOVERY = re.compile(r"LOG: +(.*(?:recover|redo|elapsed time).*)")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What a server says of itself in postmaster.pid."""

    pid: int
    port: int
    sockets: pathlib.Path
    ready: bool


def look(data: pathlib.Path) -> Running | None:
    """The server that wrote postmaster.pid last; it may have been killed since."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return None
    if len(lines) < 8:  # still being written; PostgreSQL's pidfile.h numbers the lines
        return None
    return Running(
        pid=int(lines[0]),
        port=int(lines[3]),
        sockets=pathlib.Path(lines[4]),
        ready=lines[7].strip() == "ready",
    )


def interrupt(data: pathlib.Path) -> None:
    """Asks a server whose owner is gone to shut down, if the pid in its file is still its own."""
    if (left := look(data)) and _works_in(left.pid, data):
        os.kill(left.pid, signal.SIGINT)


class Log:
    """The server's log file, read from where this start began."""

    def __init__(self, path: pathlib.Path) -> None:
        if path.exists() and path.stat().st_size > _LARGE_LOG:
            path.replace(path.with_name(f"{path.name}.1"))
        path.touch(mode=0o600)
        self._path = path
        self._begin = self._seen = path.stat().st_size

    def open(self) -> BinaryIO:
        return self._path.open("ab")

    def unseen(self) -> list[str]:
        """Complete lines since the last look."""
        text = self._since(self._seen).rpartition(b"\n")[0]
        self._seen += len(text) + 1 if text else 0
        return text.decode(errors="replace").splitlines()

    def tail(self) -> str:
        lines = self._since(self._begin).decode(errors="replace").splitlines()
        return "\n".join([f"Last lines of {self._path}:", *(lines[-_TAIL:] or ["(nothing)"])])

    def _since(self, position: int) -> bytes:
        with self._path.open("rb") as file:
            file.seek(position)
            return file.read()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """Runs the server's programs: as its user, into its log, holding the server's lock."""

    user: identity.Identity
    programs: binaries.Installation
    directory: pathlib.Path
    log: Log
    lock: int

    def spawn(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        """Starts a program, named first, that is interrupted when the calling thread ends.

        The signal is asked for last, because a change of user clears it (prctl(2)).
        """
        program = self.programs.program(command[0])
        with self.log.open() as output, _explained():
            return subprocess.Popen(
                [*self.user.prefix, "setpriv", "--pdeathsig", "INT", "--", program, *command[1:]],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.directory,
                env=_environment(),
                start_new_session=True,  # Ctrl-C is for the service, which then stops its database
                pass_fds=(self.lock,),
                umask=0o077,
            )

    def finish(self, command: Sequence[str]) -> None:
        """Runs a program to its end. Raises StartError with the end of its output."""
        process = self.spawn(command)
        try:
            code = process.wait()
        finally:
            process.kill()
            process.wait()
        if code != 0:
            raise errors.StartError(f"{command[0]} failed (exit {code}). {self.log.tail()}")

    def await_ready(
        self,
        process: subprocess.Popen[bytes],
        data: pathlib.Path,
        *,
        report: Callable[[str], None],
    ) -> None:
        """Waits as long as recovery takes. Raises StartError as soon as the server has given up."""
        while not ((server := look(data)) and server.pid == process.pid and server.ready):
            try:
                code = process.wait(timeout=_LOOK_EVERY)
            except subprocess.TimeoutExpired:
                self._report_recovery(report)
                continue
            raise errors.StartError(f"PostgreSQL did not start (exit {code}). {self.log.tail()}")
        self._report_recovery(report)

    def _report_recovery(self, report: Callable[[str], None]) -> None:
        for line in self.log.unseen():
            if found := _RECOVERY.search(line):
                report(f"recovering: {found[1]}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ends the server: cleanly within 30 s, else at once, so that its next start must recover."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=_FAST_STOP)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGQUIT)
        process.wait()


def _works_in(pid: int, data: pathlib.Path) -> bool:
    try:
        return pathlib.Path(f"/proc/{pid}/cwd").readlink() == data
    except OSError:
        return False


def _environment() -> dict[str, str]:
    # The service's secrets are not the database's, nor are PGDATA and its like.
    kept = ("PATH", "LD_LIBRARY_PATH")
    return {name: os.environ[name] for name in kept if name in os.environ}


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise errors.StartError(
            f"cannot run {error.filename} ({error.strerror}): PostgreSQL is started through "
            "setpriv, install util-linux >= 2.33"
        ) from error
