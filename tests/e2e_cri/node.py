"""One node: a machine with containerd, the plugins, and a network whose pods Moorage addresses."""

import contextlib
import json
import pathlib
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from e2e import agent, cnilab, containerd, ipams, machine, toolchain
from harness.kube import api_server

NETWORK = "pods"
NAMESPACE = "shop"
# How long the plugin tries where the server is away; and how long fifty of them may take to start
# where others need the machine too.
TIMEOUT_S = 15
LONGEST_TIMEOUT_S = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """A container runtime with all that it runs, of one suite of Debian."""

    suite: str
    runtime: pathlib.Path
    runc: pathlib.Path
    plugins: pathlib.Path
    busybox: pathlib.Path

    def version(self) -> str:
        """The runtime's name and version."""
        told = subprocess.run(
            [self.runtime / "containerd", "--version"], check=True, capture_output=True, text=True
        )
        return f"containerd {told.stdout.split()[2]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What a test does with the node."""

    machine: machine.Machine
    runtime: containerd.Containerd
    cri: containerd.Cri
    api: api_server.ApiServer
    agent: agent.Agent | None
    sandboxes: list[str] = field(default_factory=list)

    def run(self, pod: containerd.Pod) -> str:
        """Makes a sandbox for a pod that the API knows; it is removed after the test."""
        name = f"{pod.namespace}/{pod.name}"
        self.api.add("Pod", name, uid=pod.uid, annotations=dict(pod.annotations))
        sandbox = self.cri.run(pod)
        self.sandboxes.append(sandbox)
        return sandbox

    def annotate_namespace(self, annotations: Mapping[str, str]) -> None:
        """Makes these the annotations of the only namespace there is."""
        self.api.add("Namespace", NAMESPACE, annotations=annotations)

    def remove(self, sandbox: str) -> None:
        """Makes the runtime forget a sandbox."""
        self.cri.remove(sandbox)
        self.sandboxes.remove(sandbox)

    def clear(self) -> None:
        """Removes what a test has made, as kubelet does with what it knows no more."""
        self.annotate_namespace({})
        for sandbox in tuple(self.sandboxes):
            self.cri.stop(sandbox)
            self.remove(sandbox)


def programs(suite: str) -> Programs:
    """Fetches them; runc and busybox are the machine's suite's, for the machine's libraries."""
    toolchain.require_namespaces()
    return Programs(
        suite=suite,
        runtime=toolchain.package("containerd", suite) / "usr" / "bin",
        runc=toolchain.package("runc") / "usr" / "sbin",
        plugins=toolchain.package(toolchain.DEBIAN_PLUGINS, suite) / "usr" / "lib" / "cni",
        busybox=toolchain.package("busybox-static") / "bin" / "busybox",
    )


@contextlib.contextmanager
def booted(
    found: Programs,
    ipam: Mapping[str, object],
    *,
    through_agent: bool = False,
    timeout: int = TIMEOUT_S,
) -> Iterator[Node]:
    """A node whose pods get their addresses from this IPAM plugin, ours with an agent or not."""
    with contextlib.ExitStack() as until:
        # A short path, which the name of a Unix socket must be.
        path = until.enter_context(tempfile.TemporaryDirectory(prefix="moorage-node-"))
        directory = pathlib.Path(path)
        search = (found.runtime, found.runc)
        host = until.enter_context(machine.booted(directory, programs=search))
        with host.network():
            api = until.enter_context(api_server.serve(directory))
        api.add("Namespace", NAMESPACE)
        own = {"kubernetes": api.settings, "timeout_seconds": timeout}
        _write_network(directory, found.plugins, {**ipam, **own})
        ipams.install(directory / "cni-bin", through_agent=through_agent)
        beside = agent.Agent(host) if through_agent else None
        if beside:
            until.callback(beside.stop)
        runtime = containerd.Containerd(host, found.busybox)
        until.callback(runtime.stop)
        cri = containerd.Cri(runtime.socket, host.cgroup)
        until.callback(cri.close)
        yield Node(machine=host, runtime=runtime, cri=cri, api=api, agent=beside)


def _write_network(
    directory: pathlib.Path, plugins: pathlib.Path, ipam: Mapping[str, object]
) -> None:
    programs = directory / "cni-bin"
    programs.mkdir()
    for name in ("bridge", "host-local", "loopback"):
        (programs / name).symlink_to(plugins / name)
    bridge = {
        "type": "bridge",
        "bridge": cnilab.BRIDGE,
        "capabilities": {cnilab.POD_ANNOTATIONS: True},
        "ipam": dict(ipam),
    }
    version = cnilab.newest_version(plugins / "bridge")
    network = {"cniVersion": version, "name": NETWORK, "plugins": [bridge]}
    (directory / "net.d").mkdir()
    (directory / "net.d" / "10-pods.conflist").write_text(json.dumps(network))
