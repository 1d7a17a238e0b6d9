"""Plays a container runtime against a throw-away server, and checks what every pod is given.

Which pods there are is `demo_pods`', the Kubernetes API is `kubernetes_stand_in`'s.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping

import demo_pods
import kubernetes_stand_in
import local_server


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """Calls the installed plugin as a container runtime on one node does."""

    server: str
    kubernetes: Mapping[str, str]

    def call(self, verb: str, pod: demo_pods.Pod) -> tuple[int, str]:
        """Returns the exit code and what the plugin printed."""
        about = f"K8S_POD_NAMESPACE={pod.namespace};K8S_POD_NAME={pod.name};K8S_POD_UID={pod.uid}"
        environment = {
            "CNI_COMMAND": verb,
            "CNI_CONTAINERID": pod.name,
            "CNI_NETNS": f"/run/netns/{pod.name}",
            "CNI_IFNAME": "eth0",
            "CNI_ARGS": f"IgnoreUnknown=1;{about}",
        }
        done = subprocess.run(
            [local_server.PROGRAMS / "moorage"],
            input=json.dumps(self._network(pod)),
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout.strip()

    def _network(self, pod: demo_pods.Pod) -> dict[str, object]:
        own = {"server": self.server, "nodename": "node-a", "kubernetes": self.kubernetes}
        passed = {"io.kubernetes.cri.pod-annotations": pod.annotations}
        return {
            "cniVersion": "1.0.0",
            "name": "pods",
            "type": "ptp",
            "ipam": {"type": "moorage", **own},
            "runtimeConfig": passed if pod.passed else {},
        }


class Play:
    """One run: what the pods hold, and how many outcomes were wrong."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.held: dict[str, list[str]] = {}
        self.wrong = 0

    def add(self, pod: demo_pods.Pod) -> None:
        """Adds a pod, and holds the answer against what must come of it."""
        asked = "".join(f" {key}={json.dumps(value)}" for key, value in pod.asks.items())
        print(f"{pod.title}\n  ADD {pod.namespace}/{pod.name}{asked}")
        code, printed = self._runtime.call("ADD", pod)
        answer = json.loads(printed)
        print(f"  {printed}")
        if code != 0:
            self.judge(bool(pod.refusal) and pod.refusal in answer["msg"], pod.expected)
            return
        got = [ip["address"].partition("/")[0] for ip in answer["ips"]]
        self.judge(pod.may_have(got), pod.expected)
        if not self.held:
            print(f"  first address {_age():.1f} s after the start of this program")
        self.held[pod.name] = got

    def delete(self, pod: demo_pods.Pod) -> None:
        """Deletes a pod, which is answered with nothing."""
        print(f"A pod goes, and gives back what it held\n  DEL {pod.namespace}/{pod.name}")
        answer = self._runtime.call("DEL", pod)
        self.judge(answer == (0, ""), "answered with nothing")
        self.held.pop(pod.name, None)

    def judge(self, right: bool, expected: str) -> None:
        """Says whether an outcome was right, and counts what was not."""
        self.wrong += not right
        print(f"  {'ok' if right else 'WRONG, expected'}: {expected}", flush=True)


def main() -> int:
    """Plays every pod; returns 1 if any outcome was wrong."""
    options = _options()
    local_server.end_on_signals()
    try:
        print("starting PostgreSQL, the server and the stand-in of a Kubernetes API", flush=True)
        with (
            tempfile.TemporaryDirectory(prefix="moorage-demo-") as directory,
            kubernetes_stand_in.serve(pathlib.Path(directory)) as kubernetes,
            local_server.running(pathlib.Path(directory), listen="127.0.0.1:0") as server,
        ):
            print(server.load(options.examples))
            return _play(server, kubernetes)
    except KeyboardInterrupt:
        return 130
    except local_server.Failed as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Show the CNI plugin at work.")
    local_server.add_examples(parser)
    return parser.parse_args()


def _play(server: local_server.LocalServer, kubernetes: kubernetes_stand_in.StandIn) -> int:
    for name, annotations in demo_pods.NAMESPACES.items():
        kubernetes.put_namespace(name, annotations=annotations)
    play = Play(Runtime(server=server.target, kubernetes=kubernetes.access))
    for number, pod in enumerate(demo_pods.PODS, 1):
        kubernetes.put_pod(pod.namespace, pod.name, uid=pod.uid, annotations=pod.annotations)
        print(f"\n{number}. ", end="")
        play.add(pod)
    print(f"\n{len(demo_pods.PODS) + 1}. ", end="")
    play.delete(demo_pods.PODS[-1])
    _compare(server, play)
    print(f"\n{play.wrong} outcomes are wrong" if play.wrong else "\nEvery outcome is right.")
    return 1 if play.wrong else 0


def _compare(server: local_server.LocalServer, play: Play) -> None:
    """Holds the server's record against what the pods were told."""
    print("\nmoorctl get allocations -o wide\n")
    print(server.moorctl("get", "allocations", "-o", "wide"))
    listing = json.loads(server.moorctl("get", "allocations", "-o", "json"))["allocations"]
    recorded = {(each["workload"]["pod"], each["address"]) for each in listing}
    told = {(pod, address) for pod, got in play.held.items() for address in got}
    play.judge(recorded == told, f"{len(told)} addresses, each held by the pod it was given to")


def _age() -> float:
    """Seconds since this process began, by field 22 of proc(5)'s /proc/pid/stat."""
    fields = pathlib.Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    began = int(fields[22 - 3]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - began


if __name__ == "__main__":
    sys.exit(main())
