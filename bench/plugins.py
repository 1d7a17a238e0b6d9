"""Programs that a runtime may find as the IPAM plugin, and what one process of each costs."""

import contextlib
import dataclasses
import json
import os
import pathlib
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import grpc

from bench import messages
from bench.work import Ask
from moorage.install import launcher

BARE: Final = (sys.executable, "-I", "-S", "-c", "pass")
# What grpcio and the messages of the API cost a program that does nothing else.
_PLAIN_CLIENT: Final = """\
import gc, os, sys
gc.disable()
import grpc
from moorage.v1 import allocation_service_pb2, allocation_service_pb2_grpc, resources_pb2
stub = allocation_service_pb2_grpc.AllocationServiceStub(grpc.insecure_channel(sys.argv[1]))
attachment = resources_pb2.Attachment(network="pods", container_id="none", interface="eth0")
request = allocation_service_pb2.ReleaseAddressesRequest(
    parent="vrfs/default", attachment=attachment
)
stub.ReleaseAddresses(request, timeout=10)
os._exit(0)
"""
# And what grpcio costs alone, where nothing else is looked for or loaded: the request is given.
_BYTES_CLIENT: Final = """\
import gc, os, sys
gc.disable()
target, request, packages = sys.argv[1:]
sys.path.append(packages)
import grpc
release = grpc.insecure_channel(target).unary_unary(
    "/moorage.v1.AllocationService/ReleaseAddresses"
)
release(bytes.fromhex(request), timeout=10)
os._exit(0)
"""

CALL_TIME: Final = 120.0  # seconds for a process; on a machine that is busy
AGENT_TIME: Final = 120.0  # seconds until an agent answers

_AGENT: Final = (str(pathlib.Path(sys.executable).parent / "moorage-agent"),)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """A program, and the `ipam` of its configuration."""

    title: str
    program: pathlib.Path
    ipam: Mapping[str, object]

    def call(self, verb: str, container: str) -> "Outcome":
        """One process of it, started as a runtime does."""
        config = {"cniVersion": "1.0.0", "name": "pods", "type": "bridge", "ipam": self.ipam}
        own = {"CNI_CONTAINERID": container, "CNI_NETNS": "/run/netns/of-nobody"}
        own |= {"CNI_IFNAME": "eth0", "CNI_PATH": "/opt/cni/bin", "CNI_COMMAND": verb}
        return started((str(self.program),), json.dumps(config).encode(), own)


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """Of one process, in seconds; `cpu` is its own alone, not that of an agent or a server."""

    wall: float
    cpu: float
    said: str


@contextlib.contextmanager
def ours(server: str, ask: Ask, place: pathlib.Path) -> Iterator[Sequence[Plugin]]:
    """Both forms of our own, for as long as an agent runs for one of them."""
    socket = place / "agent.sock"
    pools = {"ipv4_pools": ask.ipv4, "ipv6_pools": ask.ipv6}
    ipam: dict[str, object] = {"type": "moorage", "server": server, "nodename": "n1"}
    ipam |= {key: [pool] for key, pool in pools.items() if pool}
    python = pathlib.Path(sys.executable)
    forwarding = _written(place / "forwarding", launcher.forwarding(python, socket))
    direct = _written(place / "direct", launcher.direct(python))
    with _agent(socket, place / "journal"):
        yield (
            Plugin(title="with an agent", program=forwarding, ipam=ipam),
            Plugin(title="without one", program=direct, ipam=ipam),
        )


def plain_client(server: str) -> tuple[str, ...]:
    """A client that gives back what nobody holds, and says nothing."""
    return (sys.executable, "-I", "-c", _PLAIN_CLIENT, server)


def bytes_client(server: str) -> tuple[str, ...]:
    """The same without the messages of the API, and without what `site` looks for."""
    request = messages.release(messages.attachment("none")).hex()
    packages = str(pathlib.Path(grpc.__file__).parents[1])
    return (sys.executable, "-I", "-S", "-c", _BYTES_CLIENT, server, request, packages)


def host_local(program: pathlib.Path, cidr: str, place: pathlib.Path) -> Plugin:
    """The reference plugin, which keeps its addresses in files."""
    ipam = {"type": "host-local", "dataDir": str(place), "ranges": [[{"subnet": cidr}]]}
    return Plugin(title="host-local", program=program, ipam=ipam)


def started(command: tuple[str, ...], stdin: bytes, environment: Mapping[str, str]) -> Outcome:
    """Starts a program and waits for its end; raises RuntimeError when it fails."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
        given.write(stdin)
        given.flush()
        given.seek(0)
        actions = [(os.POSIX_SPAWN_DUP2, file.fileno(), to) for file, to in ((given, 0), (said, 1))]
        began = time.perf_counter()
        pid = os.posix_spawn(command[0], command, environment, file_actions=actions)
        in_time = _ends(pid)
        _, status, usage = os.wait4(pid, 0)
        wall = time.perf_counter() - began
        said.seek(0)
        told = said.read().decode()
        if status:
            how = "failed" if in_time else f"did not end within {CALL_TIME:.0f} s"
            raise RuntimeError(f"{command[0]} {how}: {told}")
    return Outcome(wall, usage.ru_utime + usage.ru_stime, told)


def _ends(pid: int) -> bool:
    """Waits until a child ends; one that takes too long is killed."""
    ending = os.pidfd_open(pid)
    try:
        in_time = bool(select.select([ending], [], [], CALL_TIME)[0])
    finally:
        os.close(ending)
    if not in_time:
        os.kill(pid, signal.SIGKILL)
    return in_time


def _written(path: pathlib.Path, program: bytes) -> pathlib.Path:
    path.write_bytes(program)
    path.chmod(0o755)
    return path


@contextlib.contextmanager
def _agent(socket: pathlib.Path, journal: pathlib.Path) -> Iterator[None]:
    log = socket.with_suffix(".log")
    command = [*_AGENT, "serve", "--socket", str(socket), "--journal", str(journal)]
    with log.open("wb") as sink, subprocess.Popen(command, stderr=sink) as process:
        try:
            _await_agent(socket, process, log)
            yield
        finally:
            process.terminate()


def _await_agent(
    socket: pathlib.Path, process: "subprocess.Popen[bytes]", log: pathlib.Path
) -> None:
    ask, quiet = [*_AGENT, "status", "--socket", str(socket)], subprocess.DEVNULL
    end = time.monotonic() + AGENT_TIME
    while time.monotonic() < end and process.poll() is None:
        asked = subprocess.run(ask, stdout=quiet, stderr=quiet, check=False, timeout=AGENT_TIME)
        if asked.returncode == 0:
            return
        time.sleep(0.1)
    raise RuntimeError(f"the agent did not start:\n{log.read_text()}")
