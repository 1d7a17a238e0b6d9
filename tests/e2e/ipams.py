"""The IPAM plugins that the chain is tried with: how each is configured, what it has assigned."""

import ipaddress
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from e2e import cnilab
from moorage.agent import places
from moorage.install import launcher

PROGRAMS = Path(sys.executable).parent
SECOND_POOL = "second"
COMMAND_TIMEOUT_S = 60
# Our plugin runs by itself on one node; on another, it asks the node's agent.
HOSTS = ("direct", "through-agent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One allocation as moorctl prints it."""

    address: cnilab.IPAddress
    attachment: Mapping[str, str]
    workload: Mapping[str, str]


class Ipam(Protocol):
    """An IPAM plugin with its pools laid out."""

    def configuration(self) -> Mapping[str, object]:
        """The `ipam` object of the network configuration."""

    def assigned(self) -> set[cnilab.IPAddress]:
        """Every address that is assigned now, by the plugin's own record."""


class HostLocal:
    """The reference plugin, which shows that the lab itself is sound."""

    def __init__(self, directory: Path, subnets: Sequence[cnilab.IPNetwork]) -> None:
        self._directory = directory
        self._subnets = subnets

    def configuration(self) -> Mapping[str, object]:
        """One range for each subnet; the record lies in the directory."""
        ranges = [[{"subnet": str(subnet)}] for subnet in self._subnets]
        return {"type": "host-local", "dataDir": str(self._directory), "ranges": ranges}

    def assigned(self) -> set[cnilab.IPAddress]:
        """What there are files of: one for each address, beside the plugin's lock and cursor."""
        files = (self._directory / cnilab.NETWORK).glob("[0-9a-f]*[.:]*")
        return {ipaddress.ip_address(file.name) for file in files}


class Moorage:
    """Our own plugin, configured and looked at with moorctl, in a VRF that nobody else uses."""

    def __init__(self, server: str, vrf: str, subnets: Sequence[cnilab.IPNetwork]) -> None:
        self._server = server
        self._vrf = vrf
        self._dual_stack = any(subnet.version == 6 for subnet in subnets)
        pools = [_pool(f"ipv{subnet.version}", subnet, "AUTOMATIC") for subnet in subnets]
        self.apply({"kind": "Vrf", "metadata": {"name": vrf}}, *pools)

    def configuration(self) -> Mapping[str, object]:
        """The server is on a Unix socket, which the lab's empty network does not hide."""
        return {
            "type": "moorage",
            "server": self._server,
            "vrf": self._vrf,
            "assign_ipv6": self._dual_stack,
        }

    def assigned(self) -> set[cnilab.IPAddress]:
        """What `moorctl get allocations` shows."""
        return {allocation.address for allocation in self.allocations()}

    def allocations(self) -> list[Shown]:
        """What `moorctl get allocations` shows, each with whom it is for."""
        listing = json.loads(self._moorctl("get", "allocations", "--output", "json"))
        return [
            Shown(
                address=ipaddress.ip_address(allocation["address"]),
                attachment=allocation["attachment"],
                workload=allocation["workload"],
            )
            for allocation in listing["allocations"]
        ]

    def container(self, pod: str) -> str:
        """The sandbox that holds the one address of a pod."""
        [found] = [one for one in self.allocations() if one.workload["pod"] == pod]
        return found.attachment["containerId"]

    def table(self) -> str:
        """What `moorctl get allocations` prints for people."""
        return self._moorctl("get", "allocations")

    def node_labels(self) -> dict[str, Mapping[str, str]]:
        """The labels of every node that `moorctl get nodes` shows."""
        nodes = json.loads(self._moorctl("get", "nodes", "--output", "json"))["items"]
        return {node["metadata"]["name"]: node["metadata"].get("labels", {}) for node in nodes}

    def problems(self, pods: str, cluster: str) -> list[Mapping[str, object]]:
        """What `moorctl ipam check` has against the addresses of these pods of a cluster."""
        told_of = ("--pods", "-", "--cluster", cluster, "--grace", "0", "--output", "json")
        found = self._moorctl("ipam", "check", *told_of, stdin=pods, codes=(0, 1))
        problems: list[Mapping[str, object]] = json.loads(found)["problems"]
        return problems

    def add_second_pool(self, subnet: cnilab.IPNetwork) -> None:
        """Lay out a pool that serves only who names it, as "second" or by its CIDR."""
        self.apply(_pool(SECOND_POOL, subnet, "MANUAL"))

    def release(self, address: cnilab.IPAddress) -> None:
        """Release an address by hand, behind the back of who holds it."""
        self._moorctl("release", "--ip", str(address))

    def apply(self, *manifests: Mapping[str, object]) -> None:
        """Make resources as the manifests say."""
        items = [{"apiVersion": "moorage.dev/v1", **manifest} for manifest in manifests]
        self._moorctl("apply", "-f", "-", stdin=json.dumps({"kind": "List", "items": items}))

    def _moorctl(self, *arguments: str, stdin: str = "", codes: Sequence[int] = (0,)) -> str:
        done = subprocess.run(
            [PROGRAMS / "moorctl", *arguments],
            env={**os.environ, "MOORAGE_SERVER": self._server, "MOORAGE_VRF": self._vrf},
            input=stdin,
            check=False,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
        )
        assert done.returncode in codes, f"moorctl {' '.join(arguments)}: {done.stderr}"
        return done.stdout


def install(folder: Path, *, through_agent: bool) -> None:
    """Put our plugin where a runtime looks for plugins: the one of a node with an agent, or not."""
    python = PROGRAMS / "python"
    forwarding = launcher.forwarding(python, places.SOCKET)
    program = folder / "moorage"
    program.write_bytes(forwarding if through_agent else launcher.direct(python))
    program.chmod(0o755)


def _pool(name: str, subnet: cnilab.IPNetwork, mode: str) -> dict[str, object]:
    spec = {
        "cidr": str(subnet),
        "gateway": str(subnet[1]),
        "resultForm": "POOL",
        "excludeNetworkAddresses": True,
        "blockAffinity": "NONE",
        "assignmentMode": mode,
    }
    return {"kind": "Pool", "metadata": {"name": name}, "spec": spec}
