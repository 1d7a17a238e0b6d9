"""What pods' sandboxes cost with Moorage, beside the reference plugin that keeps files."""

import concurrent.futures
import contextlib
import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

import pytest

from e2e import containerd, ipams
from e2e_cri import node, setups

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(1800),
    setups.on(setups.DIRECT),  # one of each suite: the nodes are made here, in both ways
]

ROUNDS = 12
BURST = 50
# A stop that finds no time in a busy machine is tried again, which is not what is tested here.
STOPS = 8
HOST_LOCAL, DIRECT, WITH_AGENT = "host-local", "Moorage without an agent", "Moorage with an agent"

_Given = TypeVar("_Given")
_Result = TypeVar("_Result")


@pytest.fixture
def nodes(programs: node.Programs, moorage: ipams.Moorage) -> Iterator[Mapping[str, node.Node]]:
    """Nodes that differ in how their pods get addresses, and in nothing else."""
    host_local = {"type": "host-local", "dataDir": "/run/host-local", "subnet": "10.97.0.0/24"}
    ours, patience = moorage.configuration(), node.LONGEST_TIMEOUT_S
    with (
        node.booted(programs, host_local) as reference,
        node.booted(programs, ours, timeout=patience) as direct,
        node.booted(programs, ours, timeout=patience, through_agent=True) as with_agent,
    ):
        yield {HOST_LOCAL: reference, DIRECT: direct, WITH_AGENT: with_agent}


def test_figures_of_a_sandbox_beside_host_local(
    nodes: Mapping[str, node.Node], moorage: ipams.Moorage, programs: node.Programs
) -> None:
    lives: dict[str, list[Sequence[float]]] = {name: [] for name in nodes}
    for number in range(ROUNDS):
        # By turns, so that all meet the same machine.
        for name, each in nodes.items():
            lives[name].append(_lived(each, _pod(number)))
    medians = {
        name: list(map(statistics.median, zip(*of, strict=True))) for name, of in lives.items()
    }
    _tell(f"one sandbox, medians of {ROUNDS}", programs, medians)
    assert moorage.assigned() == set()


def test_fifty_sandboxes_at_once_all_get_an_address_of_their_own_beside_host_local(
    nodes: Mapping[str, node.Node], moorage: ipams.Moorage, programs: node.Programs
) -> None:
    figures = {}
    for name, each in nodes.items():
        with _measured() as ran:
            sandboxes = _at_once(BURST, each.run, list(map(_pod, range(BURST))))
        addresses = {each.cri.address(sandbox) for sandbox in sandboxes}
        assert len(addresses) == BURST
        held = {str(address) for address in moorage.assigned()}
        assert held == (set() if name == HOST_LOCAL else addresses)
        with _measured() as stopped:
            _at_once(STOPS, each.cri.stop, sandboxes)
        assert moorage.assigned() == set()
        _at_once(STOPS, each.remove, sandboxes)
        figures[name] = [*ran, *stopped]
    _tell(f"{BURST} sandboxes at once", programs, figures)


def _pod(number: int) -> containerd.Pod:
    name = f"timed-{number}"
    return containerd.Pod(namespace=node.NAMESPACE, name=name, uid=name, annotations={})


def _lived(on: node.Node, pod: containerd.Pod) -> Sequence[float]:
    with _measured() as ran:
        sandbox = on.run(pod)
    with _measured() as stopped:
        on.cri.stop(sandbox)
    on.remove(sandbox)
    return [*ran, *stopped]


def _at_once(
    many: int, call: Callable[[_Given], _Result], given: Sequence[_Given]
) -> list[_Result]:
    with concurrent.futures.ThreadPoolExecutor(many) as kubelet:
        return list(kubelet.map(call, given))


@contextlib.contextmanager
def _measured() -> Iterator[list[float]]:
    """Takes down how many seconds it was."""
    seconds: list[float] = []
    began = time.perf_counter()
    yield seconds
    seconds.append(time.perf_counter() - began)


def _tell(what: str, programs: node.Programs, figures: Mapping[str, Sequence[float]]) -> None:
    version = programs.version()
    print(f"\n{what}; {version}; load {os.getloadavg()[0]:.0f}")
    print(f"{'':<26} {'run':>6} {'stop':>6}    of host-local   {'run, s':>8} {'stop, s':>8}")
    for name, each in figures.items():
        run, stop = (ours / theirs for ours, theirs in zip(each, figures[HOST_LOCAL], strict=True))
        print(f"{name:<26} {run:>6.1f} {stop:>6.1f}{'':<19} {each[0]:>8.2f} {each[1]:>8.2f}")
