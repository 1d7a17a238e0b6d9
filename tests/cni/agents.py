"""Agents for tests: the installed program, with its launcher in the place of the plugin."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from moorage.agent import places
from moorage.cni import forwarder
from moorage.install import launcher

PROGRAM = Path(sys.executable).with_name("moorage-agent")
DIRECT = Path(sys.executable).with_name("moorage")


class Agent:
    """One agent of a node, to be stopped, killed and started again."""

    def __init__(self, folder: Path, *options: str) -> None:
        """Does not run yet; everything of it lies in `folder`."""
        self.socket = folder / "run" / "agent.sock"
        self.journal = folder / "journal"
        self.log = folder / "log"
        self.launcher = folder / "moorage"
        self._taken_over = folder / "taken-over"
        direct = folder / "direct"
        direct.write_text(f'#!/bin/sh\necho >> {self._taken_over}\nexec {DIRECT} "$@"\n')
        text = launcher.forwarding(Path(sys.executable), self.socket, direct)
        self.launcher.write_bytes(text)
        for each in (direct, self.launcher):
            each.chmod(0o755)
        places = ("--socket", str(self.socket), "--journal", str(self.journal))
        self.command = [str(PROGRAM), "serve", *places, *options]
        # As a service manager starts it, whose environment says little.
        self.environment = {"PATH": "/usr/bin:/bin"}
        self.process: subprocess.Popen[bytes] | None = None

    def alone(self, patience: float = launcher.PATIENCE) -> Path:
        """The launcher of a node that has nothing to fall back to."""
        path = self.socket.parents[1] / f"only-{patience:g}"
        absent = path.with_name("absent")
        path.write_bytes(
            launcher.forwarding(Path(sys.executable), self.socket, absent, patience=patience)
        )
        path.chmod(0o755)
        return path

    def start(self) -> None:
        """Returns when it answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, stderr=log, env=self.environment)
        until = time.monotonic() + 30
        while not self.status():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < until, "it does not answer"
            time.sleep(0.01)

    def kill(self) -> None:
        """Ends it as a crash would."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Ends it as a service manager would; returns its exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(timeout=60)

    def status(self) -> dict[str, object]:
        """What it says of itself; nothing where it does not run."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(100)
                connection.connect(os.fspath(places.status_of(self.socket)))
                told = b"".join(iter(lambda: connection.recv(1 << 16), b""))
        except OSError:
            return {}
        found: dict[str, object] = json.loads(told)
        return found

    def taken_over(self) -> int:
        """How many calls were answered without it."""
        return self._taken_over.stat().st_size if self._taken_over.exists() else 0

    def waiting(self) -> list[str]:
        """The containers whose release is kept."""
        kept = []
        for each in self.journal.glob("*.json"):
            with contextlib.suppress(FileNotFoundError):  # it has been sent meanwhile
                kept.append(str(json.loads(each.read_bytes())["container_id"]))
        return sorted(kept)

    def events(self) -> list[dict[str, object]]:
        """Every line it has written."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def call(self, variables: Mapping[str, str], stdin: bytes) -> tuple[int, bytes]:
        """Speaks as the forwarder does, from this process; returns exit code and output."""
        told = _exchange(self.socket, frame(variables, stdin))
        code, length, printed = told[1], int.from_bytes(told[2:6], "big"), told[6:]
        assert told[:1] == forwarder.TAKEN
        assert len(printed) == length
        return code, printed


def frame(variables: Mapping[str, str], stdin: bytes) -> bytes:
    """A call that begins now, as it is sent."""
    pairs = (os.fsencode(f"{name}={value}") for name, value in variables.items())
    environment = b"\0".join(pairs)
    began = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    sizes = b"".join(len(each).to_bytes(4, "big") for each in (environment, stdin))
    return forwarder.CALL + began.to_bytes(8, "big") + sizes + environment + stdin


def _exchange(path: Path, request: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(100)
        connection.connect(os.fspath(path))
        connection.sendall(request)
        told = b""
        while part := connection.recv(1 << 16):
            told += part
            # Whole: the sixth byte and on is the answer of which the four before say the length.
            if len(told) >= 6 + int.from_bytes(told[2:6], "big"):
                connection.sendall(forwarder.HEARD)
    return told


@contextlib.contextmanager
def running(folder: Path, *options: str, **variables: str) -> Iterator[Agent]:
    """An agent that runs, until the end at the latest."""
    agent = Agent(folder, *options)
    agent.environment |= variables
    agent.start()
    try:
        yield agent
    finally:
        if agent.process is not None and agent.process.poll() is None:
            agent.stop()
