"""A Moorage server as a child process, on a PostgreSQL of its own: started, waited for, stopped.

What is then done with it is the scripts' that import this.
"""

import argparse
import contextlib
import dataclasses
import json
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import NoReturn

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

ROOT = pathlib.Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
PROGRAMS = pathlib.Path(sys.executable).parent

_LOOK_EVERY = 0.05  # seconds between two looks at a starting server
_LONGEST_STOP = 60.0  # seconds; the server itself gives calls under way 30
_LAST_WORDS = 5  # lines


class Failed(Exception):
    """The server or a program ended when it should not have; the message says with which words."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LocalServer:
    """A server that is up; `target` is where it listens."""

    target: str
    log: pathlib.Path
    process: subprocess.Popen[bytes]

    def moorctl(self, *arguments: str) -> str:
        """Returns what the installed moorctl prints. Raises Failed."""
        program = [str(PROGRAMS / "moorctl"), "--server", self.target, "--vrf", "default"]
        done = subprocess.run([*program, *arguments], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"moorctl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def load(self, manifests: pathlib.Path) -> str:
        """Applies a directory of manifests; returns in one line what came of it. Raises Failed."""
        lines = self.moorctl("apply", "-f", str(manifests)).splitlines()
        return f"loaded {manifests.name}/: {', '.join(line.split()[0] for line in lines)}"

    def wait(self) -> NoReturn:
        """Waits until the server ends by itself, and raises Failed."""
        self.process.wait()
        raise Failed(_last_words(self.process, self.log, since=0))


@contextlib.contextmanager
def running(state: pathlib.Path, *, listen: str, metrics_listen: str = "") -> Iterator[LocalServer]:
    """Serves on `listen` from the database in `state`, both made when new; then stops.

    Without `metrics_listen`, without metrics. Waits for as long as PostgreSQL takes to
    recover. Raises Failed.
    """
    state.mkdir(parents=True, exist_ok=True)
    log = state / "server.log"
    log.touch()
    begin = log.stat().st_size
    process = _spawn(state / "database", listen, metrics_listen, log)
    try:
        target = _wait_until_serving(process, log, begin)
        yield LocalServer(target=target, log=log, process=process)
    finally:
        _stop(process)


def add_examples(parser: argparse.ArgumentParser) -> None:
    """Adds the option that names other manifests than those of examples/."""
    parser.add_argument("--examples", type=pathlib.Path, default=EXAMPLES, metavar="DIR")


def end_on_signals() -> None:
    """Makes every wish to end this process a KeyboardInterrupt, as Ctrl-C is."""
    for wish in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(wish, signal.default_int_handler)


def _spawn(
    database: pathlib.Path, listen: str, metrics_listen: str, log: pathlib.Path
) -> subprocess.Popen[bytes]:
    server = str(PROGRAMS / "moorage-server")
    options = ["--embedded", str(database), "--listen", listen, "--metrics-listen", metrics_listen]
    with log.open("ab") as output:
        return subprocess.Popen(
            # However this process ends, the server hears of it.
            ["setpriv", "--pdeathsig", "TERM", "--", server, "serve", *options],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C is for this process, which then stops the server
        )


def _wait_until_serving(process: subprocess.Popen[bytes], log: pathlib.Path, begin: int) -> str:
    """Returns the address: by the log, so that another server on it is not mistaken for ours."""
    while process.poll() is None:
        target = _address(_since(log, begin))
        if target and _is_serving(target):
            return target
        time.sleep(_LOOK_EVERY)
    raise Failed(_last_words(process, log, since=begin))


def _address(lines: list[str]) -> str:
    for line in lines:
        with contextlib.suppress(ValueError):  # a traceback, or a line that is being written
            event: dict[str, str] = json.loads(line)
            if event["event"] == "serving":
                return event["address"]
    return ""


def _is_serving(target: str) -> bool:
    with grpc.insecure_channel(target) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest()
        try:
            answer = health.Check(request, timeout=5)  # type: ignore[attr-defined]  # not in the stubs
        except grpc.RpcError:
            return False
    serving: bool = answer.status == health_pb2.HealthCheckResponse.SERVING
    return serving


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)  # with SIGTERM it would wait for others to hear of it
    try:
        process.wait(_LONGEST_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _last_words(process: subprocess.Popen[bytes], log: pathlib.Path, *, since: int) -> str:
    words = "\n".join(f"  {line}" for line in _since(log, since)[-_LAST_WORDS:])
    return f"the server ended with code {process.returncode}; its last words in {log}:\n{words}"


def _since(log: pathlib.Path, begin: int) -> list[str]:
    with log.open("rb") as file:
        file.seek(begin)
        return file.read().decode(errors="replace").splitlines()
