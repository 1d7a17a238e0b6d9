"""A Kubernetes of one node: etcd, kube-apiserver, containerd and kubelet on a machine of their own.

There are no controllers and no scheduler: pods name their node, and whoever wants one replaced
makes it again.
"""

import contextlib
import json
import os
import pathlib
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import trustme

from e2e import cnilab, containerd, ipams, machine, toolchain
from moorage.install import installation, launcher

NODE = "n1"
API = "https://127.0.0.1:6443"
START_TIMEOUT_S = 180
SETTLE_TIMEOUT_S = 180
BUILD_TIMEOUT_S = 3600
ROOT = pathlib.Path(__file__).parents[2]
MANIFEST = ROOT / "deploy" / "node.yaml"
ACCOUNT = "moorage-node"
_BUILD = pathlib.Path(__file__).with_name("build_kubernetes.sh")

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """All that a node and the control plane run."""

    kubernetes: pathlib.Path
    packages: Mapping[str, pathlib.Path]

    @property
    def search(self) -> Sequence[pathlib.Path]:
        """Directories of programs."""
        found = [root / sub for root in self.packages.values() for sub in ("usr/bin", "usr/sbin")]
        return [self.kubernetes, *found]

    @property
    def plugins(self) -> pathlib.Path:
        """Directory of the reference plugins."""
        return self.packages[toolchain.DEBIAN_PLUGINS] / "usr" / "lib" / "cni"

    @property
    def busybox(self) -> pathlib.Path:
        """All that is in a pod."""
        return self.packages["busybox-static"] / "bin" / "busybox"


def programs() -> Programs:
    """Fetches them, and builds Kubernetes unless that has been done on this machine before."""
    toolchain.require_namespaces()
    names = ("containerd", "runc", "busybox-static", "etcd-server", "kubernetes-client")
    packages = {name: toolchain.package(name) for name in (*names, toolchain.DEBIAN_PLUGINS)}
    return Programs(kubernetes=_built(), packages=packages)


def _built() -> pathlib.Path:
    caches = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    directory = pathlib.Path(caches, "moorage", "kubernetes")
    done = subprocess.run(
        ["nice", _BUILD, directory],
        check=False,
        capture_output=True,
        text=True,
        timeout=BUILD_TIMEOUT_S,
    )
    if done.returncode != 0:
        raise toolchain.UnavailableError(f"Kubernetes cannot be built here: {done.stderr[-2000:]}")
    return directory


class Cluster:
    """A running cluster, whose pods Moorage addresses."""

    def __init__(self, host: machine.Machine, found: Programs, moorage: ipams.Moorage) -> None:
        """Starts everything; returns when the node is ready for pods."""
        self._machine = host
        self._moorage = moorage
        self._authority = _Authority(host.directory)
        self._start_control_plane()
        self._install(found)
        self.runtime = containerd.Containerd(host, found.busybox)
        self._kubelet = self._start_kubelet()
        self.wait_ready()

    def stop(self) -> None:
        """Ends the daemons that others ask for pods; the machine ends the rest."""
        self._kubelet.stop()
        self.runtime.stop()

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        """What kubectl prints, as an administrator."""
        config = f"--kubeconfig={self._authority.admin}"
        return self._machine.run("kubectl", config, *arguments, stdin=stdin)

    def get(self, *what: str) -> Any:  # noqa: ANN401 - objects of Kubernetes
        """An object or a list, as the API has it."""
        return json.loads(self.kubectl("get", *what, "--output=json"))

    def apply(self, *manifests: Mapping[str, object]) -> None:
        """Makes objects as the manifests say."""
        listed = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
        self.kubectl("apply", "--filename=-", stdin=json.dumps(listed))

    def wait_ready(self) -> None:
        """Returns when the node says that it takes pods."""
        eventually(lambda: self.kubectl("get", "node", NODE))
        self.kubectl("wait", "--for=condition=Ready", f"node/{NODE}", "--timeout=90s")

    def wait_for_pods(self, *names: str) -> None:
        """Returns when they run."""
        pods = [f"pod/{name}" for name in names]
        self.kubectl("wait", "--for=condition=Ready", *pods, "--timeout=110s")

    def delete_pods(self, *names: str, wait: bool = True) -> None:
        """Deletes them; returns when they are gone, unless told not to wait."""
        self.kubectl("delete", "pod", *names, f"--wait={str(wait).lower()}", "--timeout=110s")

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
        inside = ("ctr", "--address", str(self.runtime.socket), "--namespace", "k8s.io")
        ping = ("ping", "-c", "1", "-W", "5", target)
        execution = ("tasks", "exec", "--exec-id", f"ping-{time.monotonic_ns()}", container)
        self._machine.run(*inside, *execution, *ping)

    def restart_kubelet(self) -> None:
        """Ends it and starts it again; pods live on."""
        self._kubelet.stop()
        self._kubelet = self._start_kubelet()

    def settled(self) -> None:
        """Returns when Moorage holds what Kubernetes says its pods have, and nothing else."""
        eventually(self._require_agreement)

    def _require_agreement(self) -> None:
        pods = self.get("pods", "--all-namespaces")["items"]
        told = {
            (pod["metadata"]["namespace"], pod["metadata"]["name"], pod["status"].get("podIP"))
            for pod in pods
        }
        held = [
            (one.workload["namespace"], one.workload["pod"], str(one.address))
            for one in self._moorage.allocations()
        ]
        assert sorted(held) == sorted(told)

    def _container(self, pod: str) -> str:
        [status] = self.get("pod", pod)["status"]["containerStatuses"]
        name: str = status["containerID"].removeprefix("containerd://")
        return name

    def _start_control_plane(self) -> None:
        directory, authority = self._machine.directory, self._authority
        self._machine.start("etcd", "--data-dir", str(directory / "etcd"))
        self._machine.start(
            "kube-apiserver",
            "--etcd-servers=http://127.0.0.1:2379",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--secure-port=6443",
            "--insecure-port=0",
            "--service-cluster-ip-range=10.254.0.0/24",
            f"--tls-cert-file={authority.path('server.pem')}",
            f"--tls-private-key-file={authority.path('server.key')}",
            f"--client-ca-file={authority.path('ca.pem')}",
            f"--cert-dir={directory}/apiserver",
            "--authorization-mode=Node,RBAC",
            "--service-account-issuer=https://lab.example",
            f"--service-account-key-file={authority.path('account.key')}",
            f"--service-account-signing-key-file={authority.path('account.key')}",
            "--disable-admission-plugins=ServiceAccount",
        )
        eventually(lambda: self.kubectl("get", "namespace", "default"))

    def _start_kubelet(self) -> machine.Daemon:
        directory = self._machine.directory
        config = directory / "kubelet.json"
        config.write_text(json.dumps(_KUBELET))
        return self._machine.start(
            "kubelet",
            "--container-runtime=remote",
            f"--container-runtime-endpoint=unix://{self.runtime.socket}",
            f"--config={config}",
            f"--kubeconfig={self._authority.kubelet}",
            f"--root-dir={directory}/kubelet",
            f"--cert-dir={directory}/kubelet-pki",
            f"--cgroup-root=/{self._machine.cgroup}",
            f"--hostname-override={NODE}",
            "--node-ip=127.0.0.1",
            # A pod is gone only when its dead containers are, which are kept otherwise.
            "--maximum-dead-containers-per-container=0",
            "--minimum-container-ttl-duration=0s",
        )

    def _install(self, found: Programs) -> None:
        """As the node's DaemonSet does, with its rights; a bare cluster cannot run one itself."""
        self.kubectl("apply", "--filename", str(MANIFEST))
        directory = self._machine.directory
        bin_dir = directory / "cni-bin"
        bin_dir.mkdir()
        for name in ("bridge", "loopback"):
            (bin_dir / name).symlink_to(found.plugins / name)
        conf_dir = directory / "net.d"
        conf_dir.mkdir()
        places = installation.Places(bin_dir=bin_dir, conf_dir=conf_dir)
        conflist = directory / "conflist.json"
        conflist.write_text(json.dumps(self._network(places)))
        told = installation.install(
            places,
            program=launcher.direct(ipams.PROGRAMS / "python"),
            conflist=conflist,
            account=installation.Account(folder=self._account(), server=API),
        )
        assert {outcome.value for _, outcome in told} == {"created"}

    def _network(self, places: installation.Places) -> Mapping[str, object]:
        bridge = {
            "type": "bridge",
            "bridge": cnilab.BRIDGE,
            "capabilities": {cnilab.POD_ANNOTATIONS: True},
            "ipam": {
                **self._moorage.configuration(),
                "kubernetes": {"kubeconfig": str(places.kubeconfig)},
                "nodename": NODE,
            },
        }
        return {"cniVersion": "1.0.0", "name": "pods", "plugins": [bridge]}

    def _account(self) -> pathlib.Path:
        """A directory as Kubernetes would mount it into the DaemonSet's pods."""
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": 3600},
        }
        path = f"/api/v1/namespaces/moorage/serviceaccounts/{ACCOUNT}/token"
        answer = self.kubectl("create", "--raw", path, "--filename=-", stdin=json.dumps(request))
        folder = self._machine.directory / "account"
        folder.mkdir()
        (folder / "token").write_text(json.loads(answer)["status"]["token"])
        (folder / "ca.crt").write_text(self._authority.path("ca.pem").read_text())
        (folder / "namespace").write_text("moorage")
        return folder


class _Authority:
    """Certificates of the cluster, and kubeconfigs by which its parts show who they are."""

    def __init__(self, directory: pathlib.Path) -> None:
        self._directory = directory / "pki"
        self._directory.mkdir()
        self._ca = trustme.CA()
        self._ca.cert_pem.write_to_path(self.path("ca.pem"))
        self._issue("server", self._ca.issue_cert("127.0.0.1"))
        self._issue("account", self._ca.issue_cert("accounts", key_type=trustme.KeyType.RSA))
        self.admin = self._kubeconfig("admin", "admin", "system:masters")
        self.kubelet = self._kubeconfig("kubelet", f"system:node:{NODE}", "system:nodes")

    def path(self, name: str) -> pathlib.Path:
        return self._directory / name

    def _issue(self, name: str, certificate: trustme.LeafCert) -> None:
        certificate.private_key_pem.write_to_path(self.path(f"{name}.key"))
        certificate.cert_chain_pems[0].write_to_path(self.path(f"{name}.pem"))

    def _kubeconfig(self, name: str, user: str, group: str) -> pathlib.Path:
        host = f"{name}.example"  # without any, Go takes the certificate for broken
        certificate = self._ca.issue_cert(host, common_name=user, organization_name=group)
        self._issue(name, certificate)
        cluster = {"server": API, "certificate-authority": str(self.path("ca.pem"))}
        credentials = {
            "client-certificate": str(self.path(f"{name}.pem")),
            "client-key": str(self.path(f"{name}.key")),
        }
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "lab", "cluster": cluster}],
            "users": [{"name": "lab", "user": credentials}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab"}}],
            "current-context": "lab",
        }
        path = self.path(f"{name}.kubeconfig")
        path.write_text(json.dumps(document))
        return path


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


def eventually(attempt: Callable[[], object], within: float = SETTLE_TIMEOUT_S) -> None:
    """Tries until it succeeds; what it fails with at the end is what it fails with."""
    until = time.monotonic() + within
    while True:
        try:
            attempt()
            return
        except (AssertionError, machine.CommandFailedError):
            if time.monotonic() > until:
                raise
        time.sleep(0.5)
