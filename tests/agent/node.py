"""A node with an agent, its runtime, and what the server says it holds."""

import json
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import moorage
from cni import agents, program
from harness import proxy


@dataclass
class Node:
    """Calls the launcher, or the agent itself where a process is not the point."""

    agent: agents.Agent
    way: proxy.Proxy
    client: moorage.Client
    ipam: dict[str, object] = field(default_factory=dict)

    def stdin(self, **ipam: object) -> bytes:
        """The network configuration."""
        own = {"server": self.way.target, "timeout_seconds": 20, "nodename": "n1"}
        return json.dumps(program.config(ipam=own | self.ipam | ipam)).encode()

    def variables(self, verb: str, container: str) -> dict[str, str]:
        """The environment of a call."""
        pod = f"K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0;K8S_POD_UID=u-{container}"
        own = {"CNI_COMMAND": verb, "CNI_CONTAINERID": container, "CNI_ARGS": pod}
        return program.CONTAINER | own

    def call(self, verb: str, container: str = "c", **ipam: object) -> program.Outcome:
        """One call, without a process."""
        code, stdout = self.agent.call(self.variables(verb, container), self.stdin(**ipam))
        return program.Outcome(code=code, stdout=stdout, stderr=b"")

    def run(self, verb: str, container: str = "c", path: Path | None = None) -> program.Outcome:
        """One call of the launcher, or of another program."""
        with self.begin(verb, container, path) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            stdout, stderr = process.stdout.read(), process.stderr.read()
        return program.Outcome(code=process.returncode, stdout=stdout, stderr=stderr)

    def begin(
        self, verb: str, container: str = "c", path: Path | None = None, stdin: bytes = b""
    ) -> "subprocess.Popen[bytes]":
        """A call that is on its way."""
        process = subprocess.Popen(
            [path or self.agent.launcher],
            env=self.variables(verb, container),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdin is not None
        process.stdin.write(stdin or self.stdin())
        process.stdin.close()
        return process

    def run_closed(self, verb: str, container: str, path: Path | None = None) -> tuple[int, bytes]:
        """The exit code and complaints of a call that has no standard output."""
        done = subprocess.run(
            ["/bin/sh", "-c", '"$0" >&-', path or self.agent.launcher],
            input=self.stdin(),
            env=self.variables(verb, container),
            stderr=subprocess.PIPE,
            check=False,
        )
        return done.returncode, done.stderr

    def run_unheard(self, verb: str, container: str, path: Path | None = None) -> int:
        """The exit code of a call whose output is a pipe that nobody reads."""
        read, write = os.pipe()
        os.close(read)
        try:
            return subprocess.run(
                [path or self.agent.launcher],
                input=self.stdin(),
                env=self.variables(verb, container),
                stdout=write,
                check=False,
            ).returncode
        finally:
            os.close(write)

    def hang(self, container: str, path: Path | None = None) -> "subprocess.Popen[bytes]":
        """An ADD that has been done, and of which the agent is not told."""
        # What is warm needs no word of the server to send.
        self.add("before")
        self.way.hold()
        process = self.begin("ADD", container, path)
        until(lambda: container in self.held().values())
        return process

    def add(self, container: str = "c") -> str:
        """The address of a container that is given one."""
        outcome = self.call("ADD", container)
        assert outcome.code == 0, outcome
        return address(outcome)

    def delete(self, container: str = "c") -> None:
        """A DEL that succeeds."""
        outcome = self.call("DEL", container)
        assert (outcome.code, outcome.stdout) == (0, b""), outcome

    def held(self) -> dict[str, str]:
        """Every address that is assigned, and the container that holds it."""
        return {each.address: each.attachment.container_id for each in self.client.allocations()}


def address(outcome: program.Outcome) -> str:
    """The one address of a result."""
    ips = outcome.document["ips"]
    assert isinstance(ips, list)
    (only,) = ips
    return str(only["address"]).removesuffix("/32")


def until(holds: Callable[[], bool], seconds: float = 30) -> None:
    """Waits for what another process brings about."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it has not come about"
        time.sleep(0.01)


def is_asleep(process: "subprocess.Popen[bytes]") -> bool:
    """Whether a call is between two attempts to reach the agent."""
    return "nanosleep" in Path(f"/proc/{process.pid}/wchan").read_text()
