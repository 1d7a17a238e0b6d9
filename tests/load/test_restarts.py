"""Three servers are replaced one after the other under load: no runtime hears of it.

Pods come and go as on a node: the installed plugin is started for each call, and passes it on to
the installed agent; some nodes have no agent. What the library sent again is told by the agent.
"""

import contextlib
import itertools
import json
import os
import pathlib
import socket
import subprocess
import threading
import time
from collections.abc import Iterator

import pytest

import moorage
from cni import agents, program
from harness import calls, postgres, serving

SERVERS = 3
WITH_AGENT, WITHOUT = 3, 1  # runtimes, each with one call at a time
ROUNDS = 3 if "MOORAGE_OVERLOAD_SECONDS" in os.environ else 1
BETWEEN = 3  # calls of each runtime from one restart to the next, while all servers are there


class Runtime:
    """A container runtime that starts and stops one sandbox after the other."""

    def __init__(self, name: str, plugin: pathlib.Path, server: str) -> None:
        """Begins with `run`; `server` is what its network configuration names."""
        self._name, self._plugin = name, plugin
        ipam = {"server": server, "timeout_seconds": 30, "nodename": name}
        self._config = json.dumps(program.config(ipam=ipam)).encode()
        self.calls = 0
        self.failures: list[bytes] = []
        self.slowest = 0.0

    def run(self, over: threading.Event) -> None:
        """Until then, and until its last sandbox has gone."""
        for number in itertools.count():
            if over.is_set():
                return
            for verb in ("ADD", "DEL"):
                self._call(verb, f"{self._name}-{number}")

    def _call(self, verb: str, container: str) -> None:
        pod = f"K8S_POD_NAMESPACE=shop;K8S_POD_NAME={container};K8S_POD_UID={container}"
        variables = program.CONTAINER | {
            "CNI_COMMAND": verb,
            "CNI_CONTAINERID": container,
            "CNI_ARGS": pod,
        }
        began = time.monotonic()
        done = subprocess.run(
            [self._plugin], input=self._config, env=variables, capture_output=True, check=False
        )
        self.slowest = max(self.slowest, time.monotonic() - began)
        self.calls += 1
        if done.returncode or done.stderr:
            self.failures.append(done.stdout + done.stderr)


class Replica:
    """A server that always has the same port, and another process after a restart."""

    def __init__(self, database: postgres.Database, log: pathlib.Path) -> None:
        """Is not running."""
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = int(probe.getsockname()[1])
        self._database, self._log = database, log

    def start(self) -> None:
        """Returns when it is ready."""
        self._process = serving.Process(self._database, self.port, self._log)
        self._process.wait_ready(120)

    def restart(self) -> None:
        """As a deployment does it: SIGTERM, the end, another process."""
        self.stop()
        self.start()

    def stop(self) -> None:
        """Returns when it has ended, which it does as it should."""
        self._process.close()
        assert self._process.process.returncode == 0


@contextlib.contextmanager
def replicas(database: postgres.Database, folder: pathlib.Path) -> Iterator[list[Replica]]:
    """All of them, ready."""
    with contextlib.ExitStack() as until:
        made = [Replica(database, folder / f"server-{at}.log") for at in range(SERVERS)]
        for each in made:
            each.start()
            until.callback(each.stop)
        yield made


@pytest.mark.xdist_group("load")
@pytest.mark.timeout(300 * ROUNDS)
def test_a_rolling_restart_fails_no_call(
    database: postgres.Database,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MOORAGE_DRAIN_SECONDS", "1")
    with replicas(database, tmp_path) as servers, agents.running(tmp_path) as agent:
        target = "ipv4:" + ",".join(f"127.0.0.1:{each.port}" for each in servers)
        with moorage.Client(target) as client:
            calls.create_pool(client, "a", "10.0.0.0/20")
        runtimes = [Runtime(f"n{at}", agent.launcher, target) for at in range(WITH_AGENT)]
        runtimes += [Runtime(f"d{at}", agents.DIRECT, target) for at in range(WITHOUT)]
        with _running(runtimes):
            for each in servers * ROUNDS:
                _wait_for_calls(runtimes)
                each.restart()
            _wait_for_calls(runtimes)
        status = agent.status()
        with moorage.Client(target) as client:
            assert list(client.allocations()) == []
    through_agent = sum(each.calls for each in runtimes[:WITH_AGENT])
    again, slowest = int(str(status["sent_again"])), max(each.slowest for each in runtimes)
    with capsys.disabled():
        made = sum(each.calls for each in runtimes)
        print(f"\n{made} calls, {SERVERS * ROUNDS} restarts; slowest {slowest:.2f} s")
        print(f"of {through_agent} through the agent {again} were sent again")
    assert [failure for each in runtimes for failure in each.failures] == []
    assert status["releases_waiting"] == 0
    assert again <= max(1, through_agent / 100)
    assert agent.taken_over() == 0
    assert min(each.calls for each in runtimes) > SERVERS


def _wait_for_calls(runtimes: list[Runtime]) -> None:
    enough = [each.calls + BETWEEN for each in runtimes]
    until = time.monotonic() + 100
    while any(each.calls < count for each, count in zip(runtimes, enough, strict=True)):
        assert time.monotonic() < until, "a runtime has stopped"
        time.sleep(0.05)


@contextlib.contextmanager
def _running(runtimes: list[Runtime]) -> Iterator[None]:
    over = threading.Event()
    threads = [threading.Thread(target=each.run, args=(over,)) for each in runtimes]
    for each in threads:
        each.start()
    try:
        yield
    finally:
        over.set()
        for each in threads:
            each.join()
