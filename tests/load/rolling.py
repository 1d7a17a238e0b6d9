"""Servers that are replaced while pods come and go as on a node, and what runtimes see of it.

The installed plugin is started for each call, and passes it on to the installed agent; some nodes
have no agent.
"""

import contextlib
import dataclasses
import itertools
import json
import pathlib
import subprocess
import threading
import time
from collections.abc import Iterator

import moorage
from cni import agents, program
from harness import calls, ports, postgres, serving

SERVERS = 3
WITH_AGENT, WITHOUT = 3, 1  # runtimes, each with one call at a time
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
        self.port = ports.free()
        self._database, self._log = database, log

    def start(self, source: pathlib.Path | None = None) -> None:
        """Begins to run, with the modules of another release if they are given."""
        self._process = serving.Process(self._database, self.port, self._log, source=source)

    def wait_ready(self) -> None:
        """Returns when it says that it can do its work."""
        self._process.wait_ready(120)

    def restart(self, source: pathlib.Path | None = None) -> None:
        """As a deployment does it: SIGTERM, the end, another process until it is ready."""
        self.stop()
        self.start(source)
        self.wait_ready()

    def stop(self) -> None:
        """Returns when it has ended, which it does as it should."""
        self._process.close()
        assert self._process.process.returncode == 0


@dataclasses.dataclass(frozen=True, slots=True)
class Cluster:
    """Replicas of a server, and nodes whose runtimes call them without a pause."""

    replicas: list[Replica]
    target: str
    agent: agents.Agent
    runtimes: list[Runtime]

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """While pods come and go; the last of them have gone when it ends."""
        over = threading.Event()
        threads = [threading.Thread(target=each.run, args=(over,)) for each in self.runtimes]
        for each in threads:
            each.start()
        try:
            yield
        finally:
            over.set()
            for each in threads:
                each.join()

    def wait_for_calls(self) -> None:
        """Returns when every runtime has got a few more calls through."""
        enough = [each.calls + BETWEEN for each in self.runtimes]
        until = time.monotonic() + 100
        while any(each.calls < count for each, count in zip(self.runtimes, enough, strict=True)):
            assert time.monotonic() < until, "a runtime has stopped"
            time.sleep(0.05)

    @property
    def through_agent(self) -> int:
        """How many calls the agent was asked for; the nodes that have one come first."""
        return sum(each.calls for each in self.runtimes[:WITH_AGENT])

    def sent_again(self) -> int:
        """How many calls the agent has sent once more."""
        return int(str(self.agent.status()["sent_again"]))

    def __str__(self) -> str:
        """For people."""
        made = sum(each.calls for each in self.runtimes)
        slowest = max(each.slowest for each in self.runtimes)
        return (
            f"{made} calls, slowest {slowest:.2f} s; of {self.through_agent} through the agent"
            f" {self.sent_again()} were sent again"
        )

    def judge(self) -> None:
        """No runtime has been told a failure, and nothing is left of what they did."""
        assert [failure for each in self.runtimes for failure in each.failures] == []
        assert min(each.calls for each in self.runtimes) > len(self.replicas)
        assert self.agent.status()["releases_waiting"] == 0
        assert self.agent.taken_over() == 0
        with moorage.Client(self.target) as client:
            assert list(client.allocations()) == []


@contextlib.contextmanager
def cluster(database: postgres.Database, folder: pathlib.Path) -> Iterator[Cluster]:
    """One with a pool, whose runtimes are not at work yet."""
    with contextlib.ExitStack() as until:
        replicas = [Replica(database, folder / f"server-{at}.log") for at in range(SERVERS)]
        for each in replicas:
            each.start()
            until.callback(each.stop)
            each.wait_ready()
        agent = until.enter_context(agents.running(folder))
        target = "ipv4:" + ",".join(f"127.0.0.1:{each.port}" for each in replicas)
        with moorage.Client(target) as client:
            calls.create_pool(client, "a", "10.0.0.0/20")
        runtimes = [Runtime(f"n{at}", agent.launcher, target) for at in range(WITH_AGENT)]
        runtimes += [Runtime(f"d{at}", agents.DIRECT, target) for at in range(WITHOUT)]
        yield Cluster(replicas, target, agent, runtimes)
