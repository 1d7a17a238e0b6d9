"""containerd on a machine, and pod sandboxes in it, asked for as kubelet does: through its CRI."""

import hashlib
import io
import itertools
import json
import pathlib
import signal
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from e2e import machine

START_TIMEOUT_S = 60
CALL_TIMEOUT_S = 240  # as long as kubelet gives a sandbox
PAUSE_IMAGE = "localhost/pause:1"
_PROTO = pathlib.Path(__file__).with_name("cri.proto")

# Without a lower limit of the OOM score, since a container of CI may not lower it.
_CONFIG = """
version = 2
root = "{directory}/root"
state = "/run/containerd"
[grpc]
  address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{image}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{directory}/cni-bin"
    conf_dir = "{directory}/net.d"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """What the runtime is told of a pod."""

    namespace: str
    name: str
    uid: str
    annotations: Mapping[str, str]


class Containerd:
    """The daemon with the plugins and the network that lie in the machine's directory."""

    def __init__(self, on: machine.Machine, busybox: pathlib.Path) -> None:
        """Started, its only image imported, and ready."""
        self._machine = on
        self.socket = on.directory / "c.sock"
        _write_config(on.directory, self.socket)
        self.start()
        self._import_image(busybox)

    def restart(self) -> None:
        """Kills it and starts it again; the containers live on."""
        self._daemon.stop(signal.SIGKILL)
        self.start()

    def stop(self) -> None:
        """Ends it; the containers live on until the machine ends."""
        self._daemon.stop()

    def start(self) -> None:
        """Starts it after a stop; returns when it answers."""
        config = str(self._machine.directory / "containerd.toml")
        self._daemon = self._machine.start("containerd", "--config", config)
        with grpc.insecure_channel(f"unix:{self.socket}") as channel:
            grpc.channel_ready_future(channel).result(timeout=START_TIMEOUT_S)

    @property
    def log(self) -> str:
        """What it has said."""
        return self._daemon.log.read_text()

    def _import_image(self, busybox: pathlib.Path) -> None:
        archive = self._machine.directory / "pause.tar"
        archive.write_bytes(image(busybox))
        of_kubernetes = ("ctr", "--address", str(self.socket), "--namespace", "k8s.io")
        self._machine.run(*of_kubernetes, "images", "import", str(archive))


class Cri:
    """The calls that kubelet makes for sandboxes."""

    def __init__(self, socket: pathlib.Path, cgroup: str) -> None:
        """Connects when the first call is made."""
        self._channel = grpc.insecure_channel(f"unix:{socket}")
        self._cgroup = cgroup
        self._attempts = itertools.count()

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()

    def run(self, pod: Pod) -> str:
        """Makes a sandbox for the pod, with a network; returns its id."""
        config = _MESSAGES["PodSandboxConfig"](
            metadata={
                "name": pod.name,
                "uid": pod.uid,
                "namespace": pod.namespace,
                "attempt": next(self._attempts),
            },
            hostname=pod.name,
            annotations=pod.annotations,
            linux={"cgroup_parent": f"/{self._cgroup}"},
        )
        request = _MESSAGES["RunPodSandboxRequest"](config=config)
        sandbox: str = self._call("RunPodSandbox", request, "PodSandboxId").pod_sandbox_id
        return sandbox

    def stop(self, sandbox: str) -> None:
        """Stops it and takes its network down."""
        self._call("StopPodSandbox", _of(sandbox), "Empty")

    def remove(self, sandbox: str) -> None:
        """Makes the runtime forget it."""
        self._call("RemovePodSandbox", _of(sandbox), "Empty")

    def address(self, sandbox: str) -> str:
        """The address that the runtime says it has."""
        status = self._call("PodSandboxStatus", _of(sandbox), "PodSandboxStatusResponse")
        address: str = status.status.network.ip
        return address

    def is_network_ready(self) -> bool:
        """Whether the runtime would set up the network of another pod."""
        status = self._call("Status", _MESSAGES["Empty"](), "StatusResponse").status
        return any(one.type == "NetworkReady" and one.status is True for one in status.conditions)

    # The classes of messages are made at run time: no type is known before.
    def _call(self, method: str, request: Any, answer: str) -> Any:  # noqa: ANN401
        rpc: Any = self._channel.unary_unary(
            f"/runtime.v1.RuntimeService/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=_MESSAGES[answer].FromString,
        )
        return rpc(request, timeout=CALL_TIMEOUT_S, wait_for_ready=True)


def image(busybox: pathlib.Path) -> bytes:
    """An image archive, as `docker save` writes them, of busybox asleep."""
    layer = _tar({"bin/busybox": busybox.read_bytes()}, links=("sh", "sleep", "ping", "ip"))
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": ["/bin/sleep", "1000000"], "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [PAUSE_IMAGE], "Layers": ["layer.tar"]}]
    return _tar(
        {
            "config.json": json.dumps(config).encode(),
            "layer.tar": layer,
            "manifest.json": json.dumps(manifest).encode(),
        }
    )


def _tar(files: Mapping[str, bytes], links: tuple[str, ...] = ()) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
        for link in links:
            entry = tarfile.TarInfo(f"bin/{link}")
            entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(entry)
    return archive.getvalue()


def _write_config(directory: pathlib.Path, socket: pathlib.Path) -> None:
    text = _CONFIG.format(directory=directory, socket=socket, image=PAUSE_IMAGE)
    (directory / "containerd.toml").write_text(text)


def _messages() -> dict[str, Any]:
    buf = pathlib.Path(sys.executable).with_name("buf")
    with tempfile.TemporaryDirectory() as module:
        pathlib.Path(module, _PROTO.name).write_bytes(_PROTO.read_bytes())
        built = subprocess.run(
            [buf, "build", module, "--output", "-"], check=True, capture_output=True
        )
    files = descriptor_pb2.FileDescriptorSet.FromString(built.stdout).file
    found = message_factory.GetMessages(files, descriptor_pool.DescriptorPool())
    return {name.removeprefix("runtime.v1."): message for name, message in found.items()}


_MESSAGES = _messages()


def _of(sandbox: str) -> Any:  # noqa: ANN401
    return _MESSAGES["PodSandboxId"](pod_sandbox_id=sandbox)
