"""podman on a machine: no Kubernetes, and another way of naming containers and wanting addresses.

That of Debian 12, which still has its networks from CNI; those after it have not.
"""

import json
import pathlib
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from e2e import cnilab, containerd, ipams, machine, toolchain

_PACKAGES = ("podman", "conmon", "runc", "busybox-static", toolchain.DEBIAN_PLUGINS)
_LIBRARIES = ("libassuan0", "libgpgme11", "libsubid4")

# Limits of its own, since a container of CI may not raise those that it has.
_CONFIG = """
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=1000:1000"]
[engine]
cgroup_manager = "cgroupfs"
conmon_path = ["{conmon}"]
events_logger = "file"
runtime = "runc"
[engine.runtimes]
runc = ["{runc}"]
[network]
network_backend = "cni"
cni_plugin_dirs = ["{directory}/cni-bin"]
network_config_dir = "{directory}/net.d"
"""
_POLICY = {"default": [{"type": "insecureAcceptAnything"}]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """podman with all that it runs."""

    packages: Mapping[str, pathlib.Path]

    def program(self, package: str, name: str = "") -> pathlib.Path:
        """A program of a package, named as the package is unless told otherwise."""
        directories = ("bin", "usr/bin", "usr/sbin")
        places = (self.packages[package] / each / (name or package) for each in directories)
        return next(place for place in places if place.exists())

    def major_version(self) -> int:
        """Of podman."""
        told = subprocess.run(
            [self.program("podman"), "--version"],
            env={"LD_LIBRARY_PATH": self.libraries},
            check=True,
            capture_output=True,
            text=True,
        )
        return int(told.stdout.split()[-1].partition(".")[0])

    @property
    def libraries(self) -> str:
        """Where those lie that the machine may lack."""
        found = [
            str(path.parent)
            for name in _LIBRARIES
            for path in self.packages[name].glob("**/*.so.*")
        ]
        return ":".join(dict.fromkeys(found))


def programs() -> Programs:
    """Fetches them; raises UnavailableError where this machine's apt has no podman with CNI."""
    toolchain.require_namespaces()
    found = Programs(packages={name: toolchain.package(name) for name in _PACKAGES + _LIBRARIES})
    if found.major_version() >= 5:
        raise toolchain.UnavailableError("the podman that apt offers has no CNI any more")
    return found


class Podman:
    """The command, with one network whose containers Moorage addresses."""

    def __init__(
        self,
        on: machine.Machine,
        found: Programs,
        ipam: Mapping[str, object],
        *,
        through_agent: bool,
    ) -> None:
        """Configured, and its only image loaded."""
        self._machine = on
        self._environment = (
            f"CONTAINERS_CONF={on.directory}/containers.conf",
            f"LD_LIBRARY_PATH={found.libraries}",
        )
        self._podman = str(found.program("podman"))
        _configure(on.directory, found, ipam)
        ipams.install(on.directory / "cni-bin", through_agent=through_agent)
        archive = on.directory / "image.tar"
        archive.write_bytes(containerd.image(found.program("busybox-static", "busybox")))
        self("load", "--input", str(archive))

    def __call__(self, *arguments: str) -> str:
        """What it prints."""
        return self._machine.run("env", *self._environment, self._podman, *arguments)

    def run(self, name: str, *options: str) -> str:
        """Starts a container that sleeps; returns its id."""
        of_machine = f"--cgroup-parent=/{self._machine.cgroup}"
        ours = ("--detach", "--name", name, "--network", cnilab.NETWORK, of_machine)
        return self("run", *ours, *options, containerd.PAUSE_IMAGE).strip()

    def address(self, name: str) -> str:
        """The one address that the container itself sees."""
        told = self("exec", name, "ip", "-4", "-oneline", "address", "show", "eth0")
        return told.split()[3].partition("/")[0]

    def remove(self, name: str) -> None:
        """Ends it, and makes podman forget it."""
        self("rm", "--force", "--time=0", name)


def _configure(directory: pathlib.Path, found: Programs, ipam: Mapping[str, object]) -> None:
    text = _CONFIG.format(
        directory=directory, conmon=found.program("conmon"), runc=found.program("runc")
    )
    (directory / "containers.conf").write_text(text)
    policy = directory / ".config" / "containers" / "policy.json"  # below the machine's HOME
    policy.parent.mkdir(parents=True)
    policy.write_text(json.dumps(_POLICY))
    (directory / "cni-bin").mkdir()
    plugins = found.packages[toolchain.DEBIAN_PLUGINS] / "usr" / "lib" / "cni"
    (directory / "cni-bin" / "bridge").symlink_to(plugins / "bridge")
    plugin = {"type": "bridge", "bridge": cnilab.BRIDGE, "ipam": dict(ipam)}
    network = {"cniVersion": "1.0.0", "name": cnilab.NETWORK, "plugins": [plugin]}
    (directory / "net.d").mkdir()
    (directory / "net.d" / "10-lab.conflist").write_text(json.dumps(network))
