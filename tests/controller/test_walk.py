"""A random walk of pods, nodes and rounds: no address of a live pod is freed, no leak stays.

MOORAGE_CONTROLLER_STEPS says how many steps, MOORAGE_CONTROLLER_SEED which.

A pod lives from when its ADD was answered until its sandbox is gone: mostly that is before the API
forgets it; a pod that was deleted by force lingers for less than the grace, or, on a node of which
nothing is heard, until after that is heard of again.
"""

import dataclasses
import os
import random

import pytest

from controller.ground import GRACE, Cluster
from harness.kube import api_server, faults
from moorage import kube as api
from moorage.controller import liveness, pods
from moorage.v1 import resources_pb2

STEPS = int(os.environ.get("MOORAGE_CONTROLLER_STEPS", "60"))
SEED = int(os.environ.get("MOORAGE_CONTROLLER_SEED", "1"))
LINGER = GRACE - 200  # seconds
NODES = ("n1", "n2", "n3")


@dataclasses.dataclass(kw_only=True)
class Pod:
    """A pod that has an address; `dies` is when its sandbox is gone, where the API forgot it."""

    name: str
    uid: str
    node: str
    address: str
    by_name: bool = False
    dies: float | None = None


@dataclasses.dataclass(kw_only=True)
class Leak:
    """An address that nobody has; `since` is when that could be known."""

    pod: Pod
    since: float


class Walk:
    """Steps through random events."""

    def __init__(self, east: Cluster, seed: int) -> None:
        self.east, self.random = east, random.Random(seed)
        self.pods: list[Pod] = []
        self.lingering: list[Pod] = []
        self.leaked: dict[str, Leak] = {}
        self.silent: set[str] = set()
        self.heard = True  # a round has gone well since a node fell silent
        self.rounds = self.found = self.numbers = 0
        for node in NODES:
            east.kube.add_node(node)

    def run(self, steps: int) -> None:
        """Takes that many steps, and then lets everything come to rest."""
        for _ in range(steps):
            self._time(self.random.randint(1, 40))
            for _ in range(self.random.randint(0, 2)):
                self._happen()
            if self.random.random() < 0.8:
                self._round()
            self._audit()
        self.silent.clear()
        for node in NODES:
            self.east.kube.add_node(node)
        while self.pods:
            self._stop()
        for _ in range(12):
            self._time(GRACE // 3)
            self._round(well=True)
            self._audit()
        assert self.leaked == {}

    @property
    def now(self) -> float:
        """The time of the walk."""
        return self.east.clock.now

    def _time(self, seconds: int) -> None:
        self.east.pass_time(seconds)
        for pod in [each for each in self.lingering if (each.dies or 0) <= self.now]:
            if pod.node not in self.silent:
                self.lingering.remove(pod)
                self._end(pod)

    def _happen(self) -> None:
        starting = [self._start] * 3
        ending = [self._stop, self._force, self._finish]
        self.random.choice([*starting, *ending, self._node, self.east.restart])()

    def _start(self) -> None:
        self.numbers += 1
        name, uid = f"shop/p{self.random.randint(0, 9)}", f"uid-{self.numbers}"
        if any(pod.name == name for pod in self.pods):
            return
        there = [each for each in NODES if f"/api/v1/nodes/{each}" in self.east.kube.objects]
        well = [each for each in there if each not in self.silent]
        if not well:
            return
        node = self.random.choice(well)
        self.east.kube.add_pod(name, uid=uid, node=node)
        told = uid if self.random.random() < 0.8 else ""
        if not told and any(pod.name == name for pod in self.lingering):
            told = uid
        address = self.east.assign(name, uid=told, node=node)
        pod = Pod(name=name, uid=uid, node=node, address=address, by_name=not told)
        self.pods.append(pod)

    def _stop(self) -> None:
        """As it should be: the sandbox ends, then the API forgets the pod; its DEL may be lost."""
        if pod := self._any():
            self.pods.remove(pod)
            self.east.kube.remove_pod(pod.name)
            self._end(pod)

    def _force(self) -> None:
        """The API forgets a pod that goes on for a while."""
        if pod := self._any():
            self.pods.remove(pod)
            self.east.kube.remove_pod(pod.name)
            pod.dies = self.now + self.random.randint(0, LINGER)
            self.lingering.append(pod)

    def _finish(self) -> None:
        """A pod ends by itself, stays in the API for a while, and its DEL is lost."""
        if pod := self._any():
            phase = self.random.choice(["Succeeded", "Failed"])
            self.east.kube.add_pod(pod.name, uid=pod.uid, node=pod.node, phase=phase)
            self.pods.remove(pod)
            self._leak(pod)

    def _node(self) -> None:
        """A node falls silent, is heard of again, goes or comes."""
        node = self.random.choice(NODES)
        path = f"/api/v1/nodes/{node}"
        if node in self.silent:
            if self.heard:
                self.silent.remove(node)
                self.east.kube.add_node(node)
                for pod in self.lingering:
                    if pod.node == node:
                        pod.dies = self.now + self.random.randint(0, LINGER)
        elif path not in self.east.kube.objects:
            self.east.kube.add_node(node)
        elif self.random.random() < 0.5:
            self.silent.add(node)
            self.heard = False
            self.east.kube.add_node(node, ready="Unknown")
        else:
            self.east.kube.remove_node(node)

    def _any(self) -> Pod | None:
        return self.random.choice(self.pods) if self.pods else None

    def _end(self, pod: Pod) -> None:
        if self.random.random() < 0.5:
            held = self.east.client.get_allocation(pod.address)
            assert self.east.client.release(held.attachment)
        else:
            self._leak(pod)

    def _leak(self, pod: Pod) -> None:
        self.leaked[pod.address] = Leak(pod=pod, since=self.now)

    # Rounds

    def _round(self, *, well: bool = False) -> None:
        fails = not well and self.random.random() < 0.15
        self.east.kube.misbehave = self._fault() if fails else self._meanwhile
        try:
            self.east.round()
        except api.ApiError:
            assert fails
        else:
            self.heard = True
        self.east.kube.misbehave = None
        self.rounds += 1

    def _fault(self) -> faults.Fault:
        fault = self.random.choice(
            [faults.refusing(500), faults.truncating(), faults.answering(b"{}")]
        )
        return faults.only(self.random.choice(["/pods", "/nodes"]), fault)

    def _meanwhile(self, handler: api_server.Handler) -> None:
        """Pods come and go before and after a list is made."""
        if "/pods" not in handler.path:
            handler.proceed()
            return
        if self.random.random() < 0.3:
            self._start()
        handler.proceed(self._start if self.random.random() < 0.3 else lambda: None)

    def _audit(self) -> None:
        held = {each.address: each for each in self.east.client.allocations()}
        for pod in (*self.pods, *self.lingering):
            assert pod.address in held, f"freed at {self.now}, and live: {pod}"
            workload = held[pod.address].workload
            assert (f"{workload.namespace}/{workload.pod}") == pod.name
        found = [address for address in self.leaked if address not in held]
        for address in found:
            del self.leaked[address]
        self.found += len(found)
        for leak in self.leaked.values():
            self._wait(leak)

    def _wait(self, leak: Leak) -> None:
        pod = leak.pod
        named = any(each.name == pod.name for each in self.pods)
        if pod.node in self.silent or (pod.by_name and named):
            # Nobody can say: from when on somebody can, is what counts.
            leak.since = self.now
        assert self.now - leak.since <= 2 * GRACE, f"not found at {self.now}: {leak}"


@pytest.mark.timeout(3600)
def test_no_live_address_is_freed_and_every_leak_is_found(east: Cluster) -> None:
    walk = Walk(east, SEED)
    walk.run(STEPS)
    print(f"{walk.rounds} rounds, {walk.numbers} pods, {walk.found} leaks found")
    assert walk.found > 0


def test_the_walk_notices_a_controller_that_goes_by_names_alone(
    east: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def by_name(allocation: resources_pb2.Allocation, known: pods.Pods) -> bool:
        del allocation
        return not known.count

    monkeypatch.setattr(liveness, "is_live", by_name)
    with pytest.raises(AssertionError, match="and live"):
        Walk(east, SEED).run(400)
