"""A node with a real container runtime, and the pools that its pods draw from."""

import ipaddress
import pathlib
import tempfile
from collections.abc import Iterator

import pytest

from e2e import ipams, service, toolchain
from e2e_cri import node
from harness import invariants, postgres

SUBNET = ipaddress.ip_network("10.98.0.0/24")
SECOND_SUBNET = ipaddress.ip_network("10.99.0.0/24")
SUITES = {"debian": "", "newest": "testing"}


@pytest.fixture(scope="session", params=SUITES)
def programs(request: pytest.FixtureRequest) -> node.Programs:
    """Debian's containerd and plugins that this machine's apt offers, and the newest there are."""
    try:
        return node.programs(SUITES[request.param])
    except toolchain.UnavailableError as reason:
        pytest.skip(f"the container runtime cannot be had here: {reason}")


@pytest.fixture(scope="session")
def session_service(cluster: postgres.Postgres) -> Iterator[service.Service]:
    """One server for all tests; its invariants hold at the end."""
    with tempfile.TemporaryDirectory(prefix="moorage-") as path, cluster.database() as database:
        running = service.Service(database, pathlib.Path(path))
        try:
            running.start()
            yield running
        finally:
            running.stop()
        invariants.check(database)


@pytest.fixture(scope="session")
def session_moorage(programs: node.Programs, session_service: service.Service) -> ipams.Moorage:
    """A VRF and a pool for the pods of one node."""
    vrf = f"lab-{programs.suite or 'offered'}"
    return ipams.Moorage(session_service.target, vrf, [SUBNET])


@pytest.fixture(scope="session")
def session_node(programs: node.Programs, session_moorage: ipams.Moorage) -> Iterator[node.Node]:
    """One node for all tests of one set of programs."""
    try:
        with node.booted(programs, session_moorage.configuration()) as running:
            yield running
    except toolchain.UnavailableError as reason:
        pytest.skip(f"no container runtime can be run here: {reason}")


@pytest.fixture
def central(session_service: service.Service) -> service.Service:
    """The central server, which a test may stop and start again."""
    return session_service


@pytest.fixture
def moorage(session_moorage: ipams.Moorage) -> Iterator[ipams.Moorage]:
    """What the node's pods hold: nothing before a test, and nothing after it."""
    assert session_moorage.assigned() == set()
    yield session_moorage
    assert session_moorage.assigned() == set()


@pytest.fixture(scope="session")
def second_pool(session_moorage: ipams.Moorage) -> str:
    """A pool that serves only who names it."""
    session_moorage.add_second_pool(SECOND_SUBNET)
    return ipams.SECOND_POOL


@pytest.fixture
def worker(session_node: node.Node, moorage: ipams.Moorage) -> Iterator[node.Node]:
    """The node, without a pod before the test and after it."""
    yield session_node
    session_node.clear()
