"""What a Kubernetes of one node runs: Debian's packages, and Kubernetes itself, built once."""

import os
import pathlib
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from e2e import toolchain

BUILD_TIMEOUT_S = 3600
_BUILD = pathlib.Path(__file__).with_name("build_kubernetes.sh")


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


def found() -> Programs:
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
