"""One server for all tests, a node for each setup, and the pools that its pods draw from.

A setup is the programs of a suite of Debian, and how the plugin works there. Tests whose outcome
could depend on either run in all; the others in two that have all of both.
"""

import ipaddress
from collections.abc import Iterator

import pytest

from e2e import ipams, service, toolchain
from e2e_cri import node, setups
from harness import postgres

SUBNET = ipaddress.ip_network("10.98.0.0/24")
SECOND_SUBNET = ipaddress.ip_network("10.99.0.0/24")


@pytest.fixture(scope="session")
def central(cluster: postgres.Postgres) -> Iterator[service.Service]:
    """The central server, which a test may stop and start again."""
    with service.running(cluster) as started:
        yield started


@pytest.fixture(scope="session", params=setups.USUAL, ids=str)
def setup(request: pytest.FixtureRequest) -> setups.Setup:
    """What the node of a test is made of."""
    chosen: setups.Setup = request.param
    return chosen


@pytest.fixture(scope="session")
def programs(setup: setups.Setup) -> node.Programs:
    """The suite's containerd and plugins."""
    try:
        return node.programs(setup.suite)
    except toolchain.UnavailableError as reason:
        pytest.skip(f"the container runtime cannot be had here: {reason}")


@pytest.fixture(scope="session")
def session_moorage(setup: setups.Setup, central: service.Service) -> ipams.Moorage:
    """A VRF and a pool for the pods of one setup."""
    return ipams.Moorage(central.target, str(setup), [SUBNET])


@pytest.fixture(scope="session")
def session_node(
    setup: setups.Setup, programs: node.Programs, session_moorage: ipams.Moorage
) -> Iterator[node.Node]:
    """One node for all tests of a setup."""
    ipam = session_moorage.configuration()
    try:
        with node.booted(programs, ipam, through_agent=setup.through_agent) as running:
            yield running
    except toolchain.UnavailableError as reason:
        pytest.skip(f"no container runtime can be run here: {reason}")


@pytest.fixture
def moorage(session_moorage: ipams.Moorage) -> Iterator[ipams.Moorage]:
    """What the pods of the setup hold: nothing before a test, and nothing after it."""
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
