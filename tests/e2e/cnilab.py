"""Two network namespaces that cnitool attaches to one bridge, inside namespaces of their own.

Holds what a runtime holds: the network configuration, the plugins' directory and the namespaces.
Where the programs come from is `toolchain`; which IPAM plugin is used is told from outside.
"""

import contextlib
import ipaddress
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPInterface = ipaddress.IPv4Interface | ipaddress.IPv6Interface
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

NETWORK = "lab"
BRIDGE = "br-lab"
POD_ANNOTATIONS = "io.kubernetes.cri.pod-annotations"
COMMAND_TIMEOUT_S = 60

# A user's PATH may lack the directories where a distribution keeps `ip`.
_SEARCH_PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"

# cnitool caches results below /var/lib and `ip netns` mounts below /run: both are hidden under a
# private tmpfs, so that nothing of a run outlives the holder. `cat` ends with the test process.
_HOLD = """
set -eu
mount -t tmpfs none /run
mount -t tmpfs none /var/lib
mkdir /run/netns
ip link set lo up
for namespace in "$@"; do ip netns add "$namespace"; done
echo ready
exec cat
"""


class CommandFailedError(Exception):
    """A program inside the lab ended with an error; the text is what it printed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """One set of programs to try together, and the version of the specification they speak."""

    cnitool: Path
    plugins: Mapping[str, Path]
    cni_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """What ADD returned for one namespace."""

    cni_version: str
    addresses: tuple[IPInterface, ...]
    gateways: tuple[IPAddress, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """The namespaces `a` and `b`, and the programs that a runtime and its pods would run."""

    holder: int
    cnitool: Path
    environment: Mapping[str, str]

    def add(self, namespace: str, *, annotations: Mapping[str, str] = {}) -> Attached:
        """Attach the namespace (CNI ADD), the pod carrying these annotations."""
        result = json.loads(self._cnitool("add", namespace, annotations))
        return Attached(
            cni_version=result["cniVersion"],
            addresses=tuple(ipaddress.ip_interface(ip["address"]) for ip in result["ips"]),
            gateways=tuple(ipaddress.ip_address(ip["gateway"]) for ip in result["ips"]),
        )

    def check(self, namespace: str) -> None:
        """Ask every plugin whether the attachment is as ADD left it (CNI CHECK)."""
        self._cnitool("check", namespace)

    def delete(self, namespace: str, *, annotations: Mapping[str, str] = {}) -> None:
        """Detach the namespace (CNI DEL)."""
        self._cnitool("del", namespace, annotations)

    def status(self) -> None:
        """Ask every plugin whether it could serve ADD (CNI STATUS)."""
        self._cnitool("status", "-")

    def collect_garbage(self) -> None:
        """Declare every attachment of the network gone (CNI GC)."""
        self._cnitool("gc", "-")

    def ping(self, namespace: str, target: IPAddress) -> None:
        """Send one echo request from the namespace and insist on the reply."""
        self.run("ip", "netns", "exec", namespace, "ping", "-n", "-c", "1", "-W", "5", str(target))

    def interfaces(self, namespace: str) -> dict[str, tuple[IPInterface, ...]]:
        """The namespace's links and their addresses, without loopback and link-local ones."""
        links = json.loads(self.run("ip", "-n", namespace, "-json", "address", "show"))
        return {link["ifname"]: _global_addresses(link) for link in links if link["ifname"] != "lo"}

    def run(self, *command: str, extra: Mapping[str, str] = {}) -> str:
        """Standard output of a program run inside the lab's user, network and mount namespaces."""
        enter = ("nsenter", "--target", str(self.holder), "--user", "--net", "--mount")
        done = subprocess.run(
            (*enter, "--preserve-credentials", "--", *command),
            env={**self.environment, **extra},
            check=False,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
        )
        if done.returncode != 0:
            raise CommandFailedError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
        return done.stdout

    def _cnitool(self, verb: str, namespace: str, annotations: Mapping[str, str] = {}) -> str:
        extra = {
            "CAP_ARGS": json.dumps({POD_ANNOTATIONS: dict(annotations)}),
            "CNI_ARGS": f"IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-{namespace}",
        }
        return self.run(str(self.cnitool), verb, NETWORK, f"/run/netns/{namespace}", extra=extra)


@contextlib.contextmanager
def opened(directory: Path, *, chain: Chain, ipam: Mapping[str, object]) -> Iterator[Lab]:
    """Open a lab whose files lie in the directory; everything in it is gone afterwards."""
    plugins = directory / "plugins"
    _link(plugins, chain.plugins)
    _write_network(directory / "net.d", chain.cni_version, ipam)
    environment = {
        "PATH": _SEARCH_PATH,
        "CNI_PATH": str(plugins),
        "NETCONFPATH": str(directory / "net.d"),
    }
    with _held(environment, "a", "b") as holder:
        yield Lab(holder=holder, cnitool=chain.cnitool, environment=environment)


def newest_version(plugin: Path) -> str:
    """The newest version of the CNI specification that the plugin says it speaks."""
    done = subprocess.run(
        [plugin],
        env={"CNI_COMMAND": "VERSION"},
        input='{"cniVersion": "1.0.0"}',
        check=True,
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_S,
    )
    supported: list[str] = json.loads(done.stdout)["supportedVersions"]
    return max(supported, key=lambda version: [int(part) for part in version.split(".")])


def _link(directory: Path, programs: Mapping[str, Path]) -> None:
    directory.mkdir()
    for name, program in programs.items():
        (directory / name).symlink_to(program)


def _write_network(directory: Path, cni_version: str, ipam: Mapping[str, object]) -> None:
    bridge = {
        "type": "bridge",
        "bridge": BRIDGE,
        "isGateway": True,
        "capabilities": {POD_ANNOTATIONS: True},
        "ipam": dict(ipam),
    }
    network = {"cniVersion": cni_version, "name": NETWORK, "plugins": [bridge]}
    directory.mkdir()
    (directory / "10-lab.conflist").write_text(json.dumps(network))


@contextlib.contextmanager
def _held(environment: Mapping[str, str], *namespaces: str) -> Iterator[int]:
    command = ("unshare", "-Urnm", "sh", "-c", _HOLD, "sh", *namespaces)
    with subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        said = holder.stdout.readline()
        if said != "ready\n":
            raise CommandFailedError(f"the namespaces could not be set up: {said}")
        yield holder.pid


def _global_addresses(link: Mapping[str, list[dict[str, object]]]) -> tuple[IPInterface, ...]:
    return tuple(
        ipaddress.ip_interface(f"{address['local']}/{address['prefixlen']}")
        for address in link["addr_info"]
        if address["scope"] == "global"
    )
