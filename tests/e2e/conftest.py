"""Fixtures of the CNI chain: which programs, which pools, which IPAM plugin, and the open lab."""

import dataclasses
import ipaddress
import secrets
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cni import agents
from e2e import cnilab, ipams, service, toolchain
from harness import postgres

SUBNETS = {
    "ipv4": ("10.98.0.0/24",),
    "dual-stack": ("10.98.0.0/24", "fd00:98::/64"),
}


@pytest.fixture(scope="session", params=["debian", "upstream"])
def chain(request: pytest.FixtureRequest) -> cnilab.Chain:
    """Debian's packaged plugins, and the release that speaks the newest CNI specification."""
    sources: dict[str, Callable[[], dict[str, Path]]] = {
        "debian": _debian_plugins,
        "upstream": _upstream_plugins,
    }
    try:
        toolchain.require_namespaces()
        cnitool = toolchain.go_program(toolchain.CNITOOL)
        plugins = sources[request.param]()
    except toolchain.UnavailableError as reason:
        pytest.skip(f"the CNI lab cannot be set up here: {reason}")
    version = cnilab.newest_version(plugins["bridge"])
    return cnilab.Chain(cnitool=cnitool, plugins=plugins, cni_version=version)


@pytest.fixture(params=SUBNETS)
def subnets(request: pytest.FixtureRequest) -> tuple[cnilab.IPNetwork, ...]:
    """The pools that the network draws from: one family, or both."""
    return tuple(ipaddress.ip_network(subnet) for subnet in SUBNETS[request.param])


@pytest.fixture(scope="session")
def central(cluster: postgres.Postgres) -> Iterator[service.Service]:
    """The installed server on a Unix socket: a port would be out of the lab's reach."""
    with service.running(cluster) as started:
        yield started


@pytest.fixture
def moorage(central: service.Service, subnets: tuple[cnilab.IPNetwork, ...]) -> ipams.Moorage:
    """Moorage with one pool for each subnet, in a VRF of the test's own."""
    return ipams.Moorage(central.target, f"lab-{secrets.token_hex(4)}", subnets)


@pytest.fixture(scope="session")
def agent() -> Iterator[agents.Agent]:
    """An agent on a Unix socket, which the labs see as they do the server's."""
    # A short path, which the name of a Unix socket must be.
    with (
        tempfile.TemporaryDirectory(prefix="moorage-") as folder,
        agents.running(Path(folder)) as running,
    ):
        yield running


@pytest.fixture(params=["host-local", *ipams.HOSTS])
def kind(request: pytest.FixtureRequest) -> str:
    """The IPAM plugin under test; ours as on a node without an agent, and as on one that has it."""
    return str(request.param)


@pytest.fixture
def ipam(
    kind: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    subnets: tuple[cnilab.IPNetwork, ...],
) -> ipams.Ipam:
    """The IPAM plugin under test, its pools laid out and nothing assigned."""
    if kind == "host-local":
        return ipams.HostLocal(tmp_path / "host-local", subnets)
    # Asked for by name, so that the reference plugin is tried without a server.
    moorage: ipams.Moorage = request.getfixturevalue("moorage")
    return moorage


@pytest.fixture
def lab(
    kind: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    chain: cnilab.Chain,
    ipam: ipams.Ipam,
) -> Iterator[cnilab.Lab]:
    """Two namespaces that nothing is attached to yet."""
    beside = request.getfixturevalue("agent") if kind == "through-agent" else None
    ours = {"moorage": beside.launcher if beside else agents.DIRECT}
    programs = dataclasses.replace(chain, plugins={**chain.plugins, **ours})
    before = beside.taken_over() if beside else 0
    with cnilab.opened(tmp_path, chain=programs, ipam=ipam.configuration()) as lab:
        yield lab
    if beside:
        assert beside.taken_over() == before, "the agent did not answer"


def _debian_plugins() -> dict[str, Path]:
    directory = toolchain.debian_plugins()
    return {name: directory / name for name in ("bridge", "host-local")}


def _upstream_plugins() -> dict[str, Path]:
    modules = {"bridge": toolchain.BRIDGE, "host-local": toolchain.HOST_LOCAL}
    return {name: toolchain.go_program(module) for name, module in modules.items()}
