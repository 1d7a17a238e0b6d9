"""What a pod pays for the plugin: whole processes, in both hosts, beside a bare interpreter.

And beside the least program that sends a message to the server: no other in Python can cost less.

`python -m bench.plugin`, from the root of the checkout; `--host-local PROGRAM` adds the reference
plugin. A round starts every variant once, in random order, and a ratio is taken within its round,
so that what else the machine does falls on all of them alike.
"""

import argparse
import collections
import contextlib
import dataclasses
import itertools
import json
import os
import pathlib
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence

import moorage
from bench import stage
from moorage.install import launcher
from moorage.v1 import resources_pb2 as messages

PROGRAMS = pathlib.Path(sys.executable).parent
BARE = (sys.executable, "-I", "-S", "-c", "pass")
LEAST = """\
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
POOL = messages.Pool(cidr="10.0.0.0/16", block_affinity=messages.BLOCK_AFFINITY_NONE)
HEADS = ("whole process", "wall, of a bare interpreter", "CPU, of one", "wall ms", "CPU ms")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A program that a runtime may find as the IPAM plugin, and its configuration."""

    title: str
    program: pathlib.Path
    ipam: Mapping[str, object]


@dataclasses.dataclass(frozen=True, slots=True)
class Cost:
    """Of one process, in seconds; `cpu` is its own alone, not that of an agent or a server."""

    wall: float
    cpu: float


Costs = Mapping[str, Sequence[Cost]]


def main() -> None:
    """Measures, and prints one table."""
    parser = argparse.ArgumentParser(prog="bench.plugin", description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--host-local", type=pathlib.Path, help="the reference plugin's program")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, stage.built() as built:
        place = pathlib.Path(folder)
        with moorage.Client(built.target) as client:
            client.create_pool("pods", POOL)
        with _agent(place) as launched:
            ours = _ours(built.target, launched, place)
            variants = [*ours, *_reference(options.host_local, place)]
            costs = _measure(variants, built.target, options.rounds)
    print(_table(costs), end="")


def _ours(server: str, launched: pathlib.Path, place: pathlib.Path) -> Iterator[Variant]:
    ipam = {"type": "moorage", "server": server, "nodename": "n1"}
    yield Variant(title="with an agent", program=launched, ipam=ipam)
    direct = place / "direct"
    direct.write_bytes(launcher.direct(pathlib.Path(sys.executable)))
    direct.chmod(0o755)
    yield Variant(title="without one", program=direct, ipam=ipam)


def _reference(program: pathlib.Path | None, place: pathlib.Path) -> Iterator[Variant]:
    if program is not None:
        ranges = [[{"subnet": POOL.cidr}]]
        ipam = {"type": "host-local", "dataDir": str(place / "host-local"), "ranges": ranges}
        yield Variant(title="host-local", program=program, ipam=ipam)


@contextlib.contextmanager
def _agent(place: pathlib.Path) -> Iterator[pathlib.Path]:
    """An agent that runs; yields its launcher."""
    path, launched = place / "run" / "agent.sock", place / "moorage"
    launched.write_bytes(launcher.forwarding(pathlib.Path(sys.executable), path))
    launched.chmod(0o755)
    places = ("--socket", str(path), "--journal", str(place / "journal"))
    with subprocess.Popen([PROGRAMS / "moorage-agent", "serve", *places]) as process:
        try:
            ask = [str(PROGRAMS / "moorage-agent"), "status", "--socket", str(path)]
            while subprocess.run(ask, capture_output=True, check=False).returncode:
                time.sleep(0.1)
            yield launched
        finally:
            process.send_signal(signal.SIGTERM)


def _measure(variants: Sequence[Variant], server: str, rounds: int) -> Costs:
    least = (sys.executable, "-I", "-c", LEAST, server)
    costs: dict[str, list[Cost]] = collections.defaultdict(list)
    for number in range(rounds + 1):
        turn = [_plain("bare interpreter", BARE), _plain("least client in Python", least)]
        turn += [_calls(variant, number) for variant in variants]
        random.shuffle(turn)
        for title, cost in itertools.chain(*turn):
            # The first round warms up what every later one finds warm.
            costs[title] += [cost] if number else []
    return costs


def _plain(title: str, command: tuple[str, ...]) -> Iterator[tuple[str, Cost]]:
    yield title, _run(command, b"", {})


def _calls(variant: Variant, number: int) -> Iterator[tuple[str, Cost]]:
    config = {"cniVersion": "1.0.0", "name": "pods", "type": "bridge", "ipam": variant.ipam}
    own = {"CNI_CONTAINERID": f"c{number}", "CNI_NETNS": "/run/netns/of-nobody"}
    own |= {"CNI_IFNAME": "eth0", "CNI_PATH": "/opt/cni/bin"}
    for verb in ("ADD", "DEL"):
        environment = own | {"CNI_COMMAND": verb}
        command = (str(variant.program),)
        yield f"{variant.title}, {verb}", _run(command, json.dumps(config).encode(), environment)


def _run(command: tuple[str, ...], stdin: bytes, environment: Mapping[str, str]) -> Cost:
    """Starts it as a runtime does, and waits for its end."""
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
            sys.exit(f"{command[0]} failed: {said.read().decode()}")
    return Cost(wall, usage.ru_utime + usage.ru_stime)


def _table(costs: Costs) -> str:
    bare = costs["bare interpreter"]
    lines = [HEADS, ("---",) * len(HEADS)]
    for title in sorted(costs, key=lambda each: statistics.median(c.cpu for c in costs[each])):
        pairs = list(zip(costs[title], bare, strict=True))
        ratios = (
            statistics.median(cost.wall / base.wall for cost, base in pairs),
            statistics.median(cost.cpu / base.cpu for cost, base in pairs),
        )
        times = (
            statistics.median(cost.wall for cost, _ in pairs),
            statistics.median(cost.cpu for cost, _ in pairs),
        )
        shown = [*(f"{each:.2f}" for each in ratios), *(f"{each * 1e3:.1f}" for each in times)]
        lines.append((title, *shown))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    main()
