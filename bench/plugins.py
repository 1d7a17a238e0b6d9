"""Programs that a runtime may find as the IPAM plugin, and what one process of each costs."""

import contextlib
import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from moorage.install import launcher

BARE: Final = (sys.executable, "-I", "-S", "-c", "pass")
# No Python program that speaks gRPC can cost less.
LEAST: Final = """\
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

_PROGRAMS: Final = pathlib.Path(sys.executable).parent


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """A program, and the `ipam` of its configuration."""

    title: str
    program: pathlib.Path
    ipam: Mapping[str, object]

    def call(self, verb: str, container: str) -> "Cost":
        """One process of it, started as a runtime does."""
        config = {"cniVersion": "1.0.0", "name": "pods", "type": "bridge", "ipam": self.ipam}
        own = {"CNI_CONTAINERID": container, "CNI_NETNS": "/run/netns/of-nobody"}
        own |= {"CNI_IFNAME": "eth0", "CNI_PATH": "/opt/cni/bin", "CNI_COMMAND": verb}
        return started((str(self.program),), json.dumps(config).encode(), own)


@dataclasses.dataclass(frozen=True, slots=True)
class Cost:
    """Of one process, in seconds; `cpu` is its own alone, not that of an agent or a server."""

    wall: float
    cpu: float


@contextlib.contextmanager
def ours(server: str, place: pathlib.Path) -> Iterator[Sequence[Plugin]]:
    """Both forms of our own, for as long as an agent runs for one of them."""
    socket, ipam = place / "agent.sock", {"type": "moorage", "server": server, "nodename": "n1"}
    python = pathlib.Path(sys.executable)
    forwarding = _written(place / "forwarding", launcher.forwarding(python, socket))
    direct = _written(place / "direct", launcher.direct(python))
    with _agent(socket, place / "journal"):
        yield (
            Plugin(title="with an agent", program=forwarding, ipam=ipam),
            Plugin(title="without one", program=direct, ipam=ipam),
        )


def host_local(program: pathlib.Path, cidr: str, place: pathlib.Path) -> Plugin:
    """The reference plugin, which keeps its addresses in files."""
    ipam = {"type": "host-local", "dataDir": str(place), "ranges": [[{"subnet": cidr}]]}
    return Plugin(title="host-local", program=program, ipam=ipam)


def started(command: tuple[str, ...], stdin: bytes, environment: Mapping[str, str]) -> Cost:
    """Starts a program and waits for its end; raises RuntimeError when it fails."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
        given.write(stdin)
        given.flush()
        given.seek(0)
        actions = [(os.POSIX_SPAWN_DUP2, file.fileno(), to) for file, to in ((given, 0), (said, 1))]
        began = time.perf_counter()
        pid = os.posix_spawn(command[0], command, environment, file_actions=actions)
        _, status, usage = os.wait4(pid, 0)
        wall = time.perf_counter() - began
        said.seek(0)
        if status:
            raise RuntimeError(f"{command[0]} failed: {said.read().decode()}")
    return Cost(wall, usage.ru_utime + usage.ru_stime)


def _written(path: pathlib.Path, program: bytes) -> pathlib.Path:
    path.write_bytes(program)
    path.chmod(0o755)
    return path


@contextlib.contextmanager
def _agent(socket: pathlib.Path, journal: pathlib.Path) -> Iterator[None]:
    quiet = subprocess.DEVNULL
    program, places = str(_PROGRAMS / "moorage-agent"), ("--socket", str(socket))
    command = [program, "serve", *places, "--journal", str(journal)]
    with subprocess.Popen(command, stderr=quiet) as process:
        try:
            ask = [program, "status", *places]
            while subprocess.run(ask, stdout=quiet, stderr=quiet, check=False).returncode:
                time.sleep(0.1)
            yield
        finally:
            process.send_signal(signal.SIGTERM)
