"""The folders and the sockets of an agent: made where they are not there, refused where others
could reach into them, and held by one agent at a time.
"""

import contextlib
import fcntl
import os
import pathlib
import socket
import stat
from collections.abc import Iterator
from typing import NamedTuple

SOCKET = pathlib.Path("/run/moorage/agent.sock")
JOURNAL = pathlib.Path("/var/lib/moorage/journal")

# As many as the kernel allows: a node that starts has all its pods added at once.
BACKLOG = 4096
# What the kernel can hold.
LONGEST_PATH = 107


class Unfit(Exception):
    """An agent cannot run like this; the text says what is wrong where, and what to do."""


class Listeners(NamedTuple):
    """The sockets of an agent: that of the calls, and one where it says how it is."""

    calls: socket.socket
    status: socket.socket


def status_of(path: pathlib.Path) -> pathlib.Path:
    """Where an agent says how it is that listens for calls on `path`.

    A socket of its own: however many calls wait, nobody who asks waits behind them.
    """
    return path.with_name(f"{path.name}.status")


def seen_beside(journal: pathlib.Path) -> pathlib.Path:
    """Make the folder for how far servers' histories had come, beside a journal. Raises Unfit."""
    folder = journal.with_name("seen")
    _make(folder)
    return folder


@contextlib.contextmanager
def held(folder: pathlib.Path) -> Iterator[None]:
    """Have a folder that nobody else can enter, and no other agent has. Raises Unfit."""
    _make(folder)
    with _locked(folder, os.O_RDONLY, f"{folder} is the journal of an agent that runs"):
        yield


@contextlib.contextmanager
def listening(path: pathlib.Path) -> Iterator[Listeners]:
    """Listen in a folder that nobody else can enter. Raises Unfit."""
    for each in (path, status_of(path)):
        if len(os.fsencode(each)) > LONGEST_PATH:
            raise Unfit(f"{each} is too long for a socket; at most {LONGEST_PATH} bytes are")
    _make(path.parent)
    # A lock, and not the socket, says that an agent runs: it goes with the process, however that
    # ends, and the socket does not.
    lock = path.with_name(f"{path.name}.lock")
    flags = os.O_RDWR | os.O_CREAT
    with (
        _locked(lock, flags, f"an agent listens on {path} already"),
        _listener(path) as calls,
        _listener(status_of(path)) as status,
    ):
        yield Listeners(calls, status)


@contextlib.contextmanager
def _listener(path: pathlib.Path) -> Iterator[socket.socket]:
    _remove_socket(path)
    with socket.socket(socket.AF_UNIX) as listener:
        _bind(listener, path)
        try:
            yield listener
        finally:
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def _locked(path: pathlib.Path, flags: int, refusal: str) -> Iterator[None]:
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        raise Unfit(f"{path} cannot be locked: {error.strerror}; see what is there") from error
    try:
        _lock(descriptor, refusal)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, refusal: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise Unfit(f"{refusal}; stop it first") from error


def _make(folder: pathlib.Path) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        about = folder.stat()
    except OSError as error:
        raise Unfit(f"{folder} cannot be made: {error.strerror}") from error
    if about.st_uid != os.geteuid():
        raise Unfit(f"{folder} belongs to uid {about.st_uid}, and this is uid {os.geteuid()}")
    mode = stat.S_IMODE(about.st_mode)
    if mode & 0o077:
        raise Unfit(f"{folder} lets others in (mode {mode:04o}); chmod 0700 {folder}")


def _remove_socket(path: pathlib.Path) -> None:
    """Remove what an agent that was killed has left; we have the lock, so it is nobody's."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise Unfit(f"{path} is there, and is no socket; name another path, or remove it")
        path.unlink()


def _bind(listener: socket.socket, path: pathlib.Path) -> None:
    try:
        listener.bind(os.fspath(path))
        path.chmod(0o600)
        listener.listen(BACKLOG)
    except OSError as error:
        raise Unfit(f"{path} cannot be listened on: {error.strerror}") from error
