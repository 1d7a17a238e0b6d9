"""A Kubernetes of one node on a machine of its own, with Moorage's agent and controller in it.

There are no controllers of Kubernetes and no scheduler: pods name their node, and whoever wants one
replaced makes it again.
"""

import contextlib
import json
import pathlib
import tempfile
import time
from collections.abc import Iterator

from e2e import ipams, machine
from e2e_kube.authority import NODE
from e2e_kube.control_plane import ControlPlane
from e2e_kube.controller import Controller
from e2e_kube.node import Node
from e2e_kube.programs import Programs


class Cluster:
    """A running cluster, whose pods Moorage addresses."""

    def __init__(self, host: machine.Machine, found: Programs, moorage: ipams.Moorage) -> None:
        """Starts everything; returns when the node is ready for pods."""
        self._machine = host
        self._moorage = moorage
        plane = ControlPlane(host)
        self.kubectl, self.get, self.apply = plane.kubectl, plane.get, plane.apply
        self.node = Node(host, found, plane, moorage.configuration())
        self.controller = Controller(host, plane, moorage.configuration())
        self.wait_ready()

    def stop(self) -> None:
        """Ends the daemons that others ask for pods; the machine ends the rest."""
        self.node.stop()
        self.controller.stop()
        self.node.agent.stop()

    def wait_ready(self) -> None:
        """Returns when the node says that it takes pods."""
        machine.eventually(lambda: self.kubectl("get", "node", NODE))
        self.kubectl("wait", "--for=condition=Ready", f"node/{NODE}", "--timeout=90s")

    def wait_for_pods(self, *names: str) -> None:
        """Returns when they run."""
        pods = [f"pod/{name}" for name in names]
        self.kubectl("wait", "--for=condition=Ready", *pods, "--timeout=110s")

    def delete_pods(self, *names: str, wait: bool = True) -> None:
        """Deletes them; returns when they are gone, unless told not to wait."""
        self.kubectl("delete", "pod", *names, f"--wait={str(wait).lower()}", "--timeout=110s")

    def forget_pods(self, *names: str) -> None:
        """Deletes them without asking their node."""
        self.kubectl("delete", "pod", *names, "--grace-period=0", "--force")

    def give_up_node(self) -> None:
        """Says that nothing is heard of the node, as Kubernetes does where its controllers run."""
        node = self.get("node", NODE)
        [ready] = [each for each in node["status"]["conditions"] if each["type"] == "Ready"]
        ready["status"] = "Unknown"
        path = f"/api/v1/nodes/{NODE}/status"
        self.kubectl("replace", "--raw", path, "--filename=-", stdin=json.dumps(node))

    def address(self, pod: str) -> str:
        """The address that Kubernetes says the pod has."""
        address: str = self.get("pod", pod)["status"]["podIP"]
        return address

    def uid(self, pod: str) -> str:
        """Which of the pods that have ever had the name it is."""
        uid: str = self.get("pod", pod)["metadata"]["uid"]
        return uid

    def ping(self, pod: str, target: str) -> None:
        """Sends one echo request from inside the pod and insists on the reply."""
        container = self._container(pod)
        inside = ("ctr", "--address", str(self.node.runtime.socket), "--namespace", "k8s.io")
        ping = ("ping", "-c", "1", "-W", "5", target)
        execution = ("tasks", "exec", "--exec-id", f"ping-{time.monotonic_ns()}", container)
        self._machine.run(*inside, *execution, *ping)

    def settled(self) -> None:
        """Returns when Moorage holds what Kubernetes says its pods have, and nothing else."""
        machine.eventually(self._require_agreement)

    def _require_agreement(self) -> None:
        pods = self.get("pods", "--all-namespaces")["items"]
        told = {
            (pod["metadata"]["namespace"], pod["metadata"]["name"], pod["status"].get("podIP"))
            for pod in pods
        }
        allocations = self._moorage.allocations()
        held = [
            (one.workload["namespace"], one.workload["pod"], str(one.address))
            for one in allocations
        ]
        assert sorted(held) == sorted(told)
        # Nobody wrote this into the network list: its installer did.
        whose = {(one.workload["node"], one.workload["cluster"]) for one in allocations}
        assert whose <= {(NODE, self.get("namespace", "kube-system")["metadata"]["uid"])}

    def _container(self, pod: str) -> str:
        [status] = self.get("pod", pod)["status"]["containerStatuses"]
        name: str = status["containerID"].removeprefix("containerd://")
        return name


@contextlib.contextmanager
def running(found: Programs, moorage: ipams.Moorage) -> Iterator[Cluster]:
    """A cluster of which nothing is left afterwards."""
    with contextlib.ExitStack() as until:
        # A short path, which the name of a Unix socket must be.
        path = until.enter_context(tempfile.TemporaryDirectory(prefix="moorage-kube-"))
        host = machine.booted(pathlib.Path(path), programs=found.search)
        cluster = Cluster(until.enter_context(host), found, moorage)
        until.callback(cluster.stop)
        yield cluster
