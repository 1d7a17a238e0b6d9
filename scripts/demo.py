"""Plays a container runtime against a throw-away server, and checks what every pod is given.

The pools are those of examples/; the Kubernetes API is `kubernetes_stand_in`'s.
"""

import argparse
import dataclasses
import ipaddress
import json
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence

import kubernetes_stand_in
import local_server

STARTED = time.monotonic()
CALICO = "cni.projectcalico.org/"
NAMESPACES: dict[str, dict[str, str]] = {
    "default": {},
    "shop": {f"{CALICO}ipv4pools": '["shop"]'},
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """A pod to add, and what it must get: an address in each of `inside`, or a `refusal`.

    `passed`: the runtime passes the pod's annotations on, else the plugin asks the Kubernetes API.
    """

    title: str
    name: str
    annotations: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)
    inside: tuple[str, ...] = ()
    refusal: str = ""
    passed: bool = True

    @property
    def texts(self) -> dict[str, str]:
        """The annotations as Kubernetes has them: lists are JSON texts."""
        return {CALICO + key: json.dumps(value) for key, value in self.annotations.items()}


PODS = (
    Pod(
        title="A pod names its pool in an annotation",
        name="default/web-0",
        annotations={"ipv4pools": ["web"]},
        inside=("10.65.0.0/24",),
    ),
    Pod(
        title='A pod of namespace "shop", whose annotation names pool "shop"',
        name="shop/cart-0",
        inside=("10.66.0.0/24",),
    ),
    Pod(
        title="A pod of that namespace with an annotation of its own, which wins",
        name="shop/cart-1",
        annotations={"ipv4pools": ["web"]},
        inside=("10.65.0.0/24",),
    ),
    Pod(
        title="A pod asks for an address; its annotations come from the Kubernetes API",
        name="default/db-0",
        annotations={"ipAddrs": ["10.65.0.77"]},
        inside=("10.65.0.77",),
        passed=False,
    ),
    Pod(
        title="A pod names nothing: the manual-only pool with the highest priority is left alone",
        name="default/job-0",
        inside=("10.64.0.0/16",),
    ),
    Pod(
        title="A pod names that pool, whose node selector matches no node",
        name="default/partner-0",
        annotations={"ipv4pools": ["partners"]},
        inside=("10.67.0.0/28",),
    ),
    Pod(
        title="A pool of two addresses, the first of them reserved: the pod gets the second",
        name="default/scan-0",
        annotations={"ipv4pools": ["tiny"]},
        inside=("10.69.0.1",),
    ),
    Pod(
        title="Only the reserved address is left: the next pod is refused",
        name="default/scan-1",
        annotations={"ipv4pools": ["tiny"]},
        refusal="POOL_EXHAUSTED",
    ),
    Pod(
        title="The reserved address is for the pod that asks for it",
        name="default/printer-0",
        annotations={"ipAddrs": ["10.69.0.0"]},
        inside=("10.69.0.0",),
    ),
    Pod(
        title="A pod wants both families, and gets both or none",
        name="default/dual-0",
        annotations={"ipFamilies": ["IPv4", "IPv6"]},
        inside=("10.64.0.0/16", "fd00:64::/64"),
    ),
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """Calls the installed plugin as a container runtime on one node does."""

    server: str
    kubernetes: Mapping[str, str]

    def call(self, verb: str, pod: Pod) -> tuple[int, str]:
        """Returns the exit code and what the plugin printed."""
        namespace, _, name = pod.name.partition("/")
        pod_args = f"K8S_POD_NAMESPACE={namespace};K8S_POD_NAME={name};K8S_POD_UID=uid-of-{name}"
        environment = {
            "CNI_COMMAND": verb,
            "CNI_CONTAINERID": name,
            "CNI_NETNS": f"/run/netns/{name}",
            "CNI_IFNAME": "eth0",
            "CNI_ARGS": f"IgnoreUnknown=1;{pod_args}",
        }
        plugin = local_server.PROGRAMS / "moorage"
        stdin = json.dumps(self._network(pod))
        done = subprocess.run(
            [plugin], input=stdin, env=environment, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout.strip()

    def _network(self, pod: Pod) -> dict[str, object]:
        ipam = {"server": self.server, "nodename": "node-a", "kubernetes": self.kubernetes}
        annotations = {"io.kubernetes.cri.pod-annotations": pod.texts} if pod.passed else {}
        return {
            "cniVersion": "1.0.0",
            "name": "pods",
            "type": "ptp",
            "ipam": {"type": "moorage", **ipam},
            "runtimeConfig": annotations,
        }


class Play:
    """One run of the demo: what was asked for, what came of it, what of that was wrong."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.held: dict[str, list[str]] = {}
        self.wrong = 0

    def add(self, pod: Pod) -> None:
        """Adds a pod and holds the answer against what must come of it."""
        print(f"\n{pod.title}")
        asked = [f"{key}={json.dumps(value)}" for key, value in pod.annotations.items()]
        print("  " + " ".join(["ADD", pod.name, *asked]))
        code, printed = self._runtime.call("ADD", pod)
        print(f"  {printed}")
        answer = json.loads(printed)
        if code == 0:
            got = [ip["address"].partition("/")[0] for ip in answer["ips"]]
            self._first_address_took()
            self.held[pod.name] = got
            self.judge(_lie_inside(got, pod.inside), f"inside {', '.join(pod.inside) or 'nothing'}")
        else:
            self.judge(bool(pod.refusal) and pod.refusal in answer["msg"], pod.refusal or "refused")

    def delete(self, pod: Pod) -> None:
        """Deletes a pod, which is answered with nothing."""
        print(f"\nThe last pod goes, and its addresses with it\n  DEL {pod.name}")
        code, printed = self._runtime.call("DEL", pod)
        self.judge((code, printed) == (0, ""), "answered with nothing")
        self.held.pop(pod.name, None)

    def judge(self, right: bool, expected: str) -> None:
        """Counts what is wrong, and says so."""
        self.wrong += not right
        print(f"  {'ok' if right else 'WRONG, expected'}: {expected}")

    def _first_address_took(self) -> None:
        if not self.held:
            print(f"  first address {time.monotonic() - STARTED:.1f} s after the start")


def main() -> int:
    """Plays every pod; returns 1 if any outcome was wrong."""
    parser = argparse.ArgumentParser(description="Show the CNI plugin at work.")
    parser.add_argument(
        "--examples", type=pathlib.Path, default=local_server.EXAMPLES, metavar="DIR"
    )
    examples = str(parser.parse_args().examples)
    local_server.end_on_signals()
    try:
        with (
            tempfile.TemporaryDirectory(prefix="moorage-demo-") as directory,
            kubernetes_stand_in.serve(pathlib.Path(directory)) as kubernetes,
            local_server.running(pathlib.Path(directory), listen="127.0.0.1:0") as server,
        ):
            print(server.moorctl("apply", "-f", examples), end="")
            return _play(server, kubernetes)
    except KeyboardInterrupt:
        return 130
    except local_server.Failed as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1


def _play(server: local_server.LocalServer, kubernetes: kubernetes_stand_in.StandIn) -> int:
    for name, annotations in NAMESPACES.items():
        kubernetes.put_namespace(name, annotations=annotations)
    play = Play(Runtime(server=server.target, kubernetes=kubernetes.access))
    for pod in PODS:
        namespace, _, name = pod.name.partition("/")
        kubernetes.put_pod(namespace, name, annotations=pod.texts)
        play.add(pod)
    play.delete(PODS[-1])
    print("\nWhat is assigned now\n" + server.moorctl("get", "allocations", "-o", "wide"))
    listing = json.loads(server.moorctl("get", "allocations", "-o", "json"))["allocations"]
    held = {address for addresses in play.held.values() for address in addresses}
    play.judge({each["address"] for each in listing} == held, f"{len(held)} addresses")
    print(f"\n{play.wrong or 'nothing'} wrong")
    return 1 if play.wrong else 0


def _lie_inside(addresses: Sequence[str], networks: Sequence[str]) -> bool:
    """Whether there is one address for each network, and each lies in its own."""
    return len(addresses) == len(networks) and all(
        ipaddress.ip_address(address) in ipaddress.ip_network(network)
        for address, network in zip(addresses, networks, strict=True)
    )


if __name__ == "__main__":
    sys.exit(main())
