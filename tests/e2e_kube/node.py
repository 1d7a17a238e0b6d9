"""The only node of a cluster: containerd, kubelet, and what deploy/base/node puts beside them."""

import contextlib
import json
import pathlib
from collections.abc import Iterator, Mapping

from e2e import agent, cnilab, containerd, ipams, machine
from e2e_kube.authority import API, NODE
from e2e_kube.control_plane import ControlPlane
from e2e_kube.programs import Programs
from moorage.install import installation

WORKLOAD = "daemonset/moorage-node"
ACCOUNT = "moorage-node"

_KUBELET = {
    "kind": "KubeletConfiguration",
    "apiVersion": "kubelet.config.k8s.io/v1beta1",
    "address": "127.0.0.1",
    "cgroupDriver": "cgroupfs",
    "cgroupsPerQOS": False,
    "enforceNodeAllocatable": [],
    "failSwapOn": False,
    "makeIPTablesUtilChains": False,
    "evictionHard": {"memory.available": "0%", "nodefs.available": "0%"},
    # Conditions are told at once, so that a test need not wait for the next report.
    "nodeStatusUpdateFrequency": "2s",
    "syncFrequency": "5s",
}


class Node:
    """It is up from the beginning; each of its daemons can be ended and started again."""

    def __init__(
        self,
        host: machine.Machine,
        found: Programs,
        plane: ControlPlane,
        ipam: Mapping[str, object],
    ) -> None:
        """Started, and about to tell the cluster that it is there."""
        self._machine = host
        self._kubeconfig = plane.authority.kubelet
        self.agent = agent.Agent(host, _socket(plane))
        self._install(found, plane, ipam)
        self.runtime = containerd.Containerd(host, found.busybox)
        self.start_kubelet()

    def stop(self) -> None:
        """Ends what looks after pods, which live on; their network is left as it is."""
        self.stop_kubelet()
        self.runtime.stop()

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Nobody looks after its pods until it is over."""
        self.stop()
        try:
            yield
        finally:
            self.runtime.start()
            self.start_kubelet()

    def require_waiting(self) -> None:
        """Insists that a call of the plugin is on its way."""
        program = str(self._bin_dir / installation.PROGRAM)
        assert program in self._machine.run("sh", "-c", "cat /proc/[0-9]*/cmdline || true")

    def stop_kubelet(self) -> None:
        """Ends it; pods live on."""
        self._kubelet.stop()

    def start_kubelet(self) -> None:
        """Starts it after a stop."""
        directory = self._machine.directory
        config = directory / "kubelet.json"
        config.write_text(json.dumps(_KUBELET))
        self._kubelet = self._machine.start(
            "kubelet",
            "--container-runtime=remote",
            f"--container-runtime-endpoint=unix://{self.runtime.socket}",
            f"--config={config}",
            f"--kubeconfig={self._kubeconfig}",
            f"--root-dir={directory}/kubelet",
            f"--cert-dir={directory}/kubelet-pki",
            f"--cgroup-root=/{self._machine.cgroup}",
            f"--hostname-override={NODE}",
            "--node-ip=127.0.0.1",
            # A pod is gone only when its dead containers are, which are kept otherwise.
            "--maximum-dead-containers-per-container=0",
            "--minimum-container-ttl-duration=0s",
        )

    @property
    def _bin_dir(self) -> pathlib.Path:
        return self._machine.directory / "cni-bin"

    def _install(self, found: Programs, plane: ControlPlane, ipam: Mapping[str, object]) -> None:
        """As the init container does, with its rights; a bare cluster cannot run it itself."""
        bin_dir, conf_dir = self._bin_dir, self._machine.directory / "net.d"
        for folder in (bin_dir, conf_dir):
            folder.mkdir()
        for name in ("bridge", "loopback"):
            (bin_dir / name).symlink_to(found.plugins / name)
        conflist = self._machine.directory / "conflist.json"
        conflist.write_text(json.dumps(_network(ipam, conf_dir / "moorage-kubeconfig")))
        # Where a node has its plugins differs; its Python, which has no package, is the machine's.
        program, *options = plane.command(WORKLOAD, "install")
        told = self._machine.run(
            str(ipams.PROGRAMS / program),
            *options,
            f"--conflist={conflist}",
            f"--service-account={plane.account(ACCOUNT)}",
            f"--api-server={API}",
            f"--bin-dir={bin_dir}",
            f"--conf-dir={conf_dir}",
        )
        assert [line.split()[-1] for line in told.splitlines()] == ["created"] * 3, told


def _socket(plane: ControlPlane) -> str:
    [option] = [each for each in plane.command(WORKLOAD, "agent") if each.startswith("--socket=")]
    return option.removeprefix("--socket=")


def _network(ipam: Mapping[str, object], kubeconfig: pathlib.Path) -> Mapping[str, object]:
    bridge = {
        "type": "bridge",
        "bridge": cnilab.BRIDGE,
        "capabilities": {cnilab.POD_ANNOTATIONS: True},
        "ipam": {**ipam, "kubernetes": {"kubeconfig": str(kubeconfig)}},
    }
    return {"cniVersion": "1.0.0", "name": "pods", "plugins": [bridge]}
