"""A machine for a node's daemons: namespaces of its own, which end with everything in them.

Root is needed: a container runtime mounts and makes control groups. What the daemons leave on disk
lies in the directory that they are given; control groups are removed at the end.
"""

import contextlib
import ctypes
import os
import pathlib
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from e2e import toolchain

COMMAND_TIMEOUT_S = 120
SETTLE_TIMEOUT_S = 180
CGROUPS = pathlib.Path("/sys/fs/cgroup")
_SYSTEM_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")

# Runtimes and network plugins keep what they know below these directories, which are therefore
# this machine's own. Children of an init that ignores SIGCHLD leave no zombies; `cat` ends with
# the test process, and then the kernel ends all others.
_INIT = """
set -eu
mount --make-rprivate /
mount -t proc proc /proc
for directory in /run /var/lib /var/log; do mount -t tmpfs none "$directory"; done
mkdir /run/netns
ip link set lo up
trap '' CHLD
echo ready
exec cat
"""


class CommandFailedError(Exception):
    """A program on the machine ended with an error; the text is what it printed."""


class Daemon:
    """A program that runs on the machine until it is stopped."""

    def __init__(self, entered: subprocess.Popen[bytes], log: pathlib.Path) -> None:
        """Started with `nsenter`, whose only child it is."""
        self._entered = entered
        self.log = log

    def stop(self, signal_number: int = signal.SIGTERM) -> None:
        """Ends it, and returns when it has."""
        for child in _children(self._entered.pid):
            os.kill(child, signal_number)
        self.wait()

    def wait(self) -> None:
        """Returns when it has ended."""
        self._entered.wait(timeout=COMMAND_TIMEOUT_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Network, mounts and processes that nobody outside shares; files, it does."""

    init: int
    directory: pathlib.Path
    cgroup: str
    environment: Mapping[str, str]
    daemons: list[Daemon]

    def start(self, *command: str) -> Daemon:
        """Starts a daemon; what it says goes to a log that is named for it."""
        log = self.directory / f"{pathlib.Path(command[0]).name}.log"
        with log.open("ab") as output:
            entered = subprocess.Popen(
                self._inside(command), env=self.environment, stdout=output, stderr=output
            )
        self.daemons.append(Daemon(entered, log))
        return self.daemons[-1]

    def run(self, *command: str, stdin: str = "") -> str:
        """Standard output of a program that is run to its end."""
        done = subprocess.run(
            self._inside(command),
            env=self.environment,
            input=stdin,
            check=False,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
        )
        if done.returncode != 0:
            raise CommandFailedError(f"{shlex.join(command)}: {done.stdout}{done.stderr}")
        return done.stdout

    @contextlib.contextmanager
    def network(self) -> Iterator[None]:
        """What this thread listens on meanwhile is on the machine's network."""
        with open("/proc/thread-self/ns/net") as own:
            with open(f"/proc/{self.init}/ns/net") as other:
                _enter(other)
            try:
                yield
            finally:
                _enter(own)

    def _inside(self, command: Sequence[str]) -> tuple[str, ...]:
        return ("nsenter", "--target", str(self.init), "--net", "--mount", "--pid", "--", *command)


@contextlib.contextmanager
def booted(directory: pathlib.Path, *, programs: Sequence[pathlib.Path]) -> Iterator[Machine]:
    """A machine whose PATH begins with these directories; nothing of it is left afterwards."""
    if os.geteuid() != 0:
        raise toolchain.UnavailableError("a container runtime needs root")
    # A user's PATH may lack the directories where a distribution keeps `ip`.
    path = ":".join([*map(str, programs), *_SYSTEM_PATH])
    environment = {"PATH": path, "HOME": str(directory), "TMPDIR": str(directory)}
    cgroup = directory.name
    daemons: list[Daemon] = []
    try:
        with _init(environment) as init:
            yield Machine(
                init=init,
                directory=directory,
                cgroup=cgroup,
                environment=environment,
                daemons=daemons,
            )
    finally:
        for daemon in daemons:
            daemon.wait()
        _remove_cgroups(cgroup)


@contextlib.contextmanager
def _init(environment: Mapping[str, str]) -> Iterator[int]:
    namespaces = ("--net", "--mount", "--pid", "--fork", "--kill-child")
    with subprocess.Popen(
        ("unshare", *namespaces, "sh", "-c", _INIT),
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as unshared:
        assert unshared.stdout is not None
        said = unshared.stdout.readline()
        if said != "ready\n":
            raise toolchain.UnavailableError(f"no namespaces can be set up here: {said.strip()}")
        [init] = _children(unshared.pid)
        yield init


def eventually(attempt: Callable[[], object], within: float = SETTLE_TIMEOUT_S) -> None:
    """Tries until it succeeds; what it fails with at the end is what it fails with."""
    until = time.monotonic() + within
    while True:
        try:
            attempt()
            return
        except (AssertionError, CommandFailedError):
            if time.monotonic() > until:
                raise
        time.sleep(0.5)


def _enter(namespace: IO[str]) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), 0) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in _of(pid).read_text().split()]
    except FileNotFoundError:
        return []


def _of(pid: int) -> pathlib.Path:
    return pathlib.Path(f"/proc/{pid}/task/{pid}/children")


def _remove_cgroups(name: str) -> None:
    for top in [*CGROUPS.glob(name), *CGROUPS.glob(f"*/{name}")]:
        for group, _, _ in os.walk(top, topdown=False):
            _remove(pathlib.Path(group))


def _remove(group: pathlib.Path) -> None:
    # A group stays busy for a moment after its last process.
    for _ in range(50):
        with contextlib.suppress(OSError):
            return group.rmdir()
        time.sleep(0.1)
    return None
