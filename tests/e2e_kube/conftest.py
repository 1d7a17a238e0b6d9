"""One cluster for all tests, and what a test expects of it before and after."""

import ipaddress
from collections.abc import Iterator

import pytest

from e2e import ipams, service, toolchain
from e2e_kube import cluster as kubernetes
from e2e_kube import programs
from harness import postgres

SUBNET = ipaddress.ip_network("10.98.0.0/24")
SECOND_SUBNET = ipaddress.ip_network("10.99.0.0/24")


@pytest.fixture(scope="session")
def central(cluster: postgres.Postgres) -> Iterator[service.Service]:
    """The central server, which a test may stop and start again."""
    with service.running(cluster) as started:
        yield started


@pytest.fixture(scope="session")
def moorage(central: service.Service) -> ipams.Moorage:
    """The pool of all pods, and one that serves only who names it."""
    laid_out = ipams.Moorage(central.target, "lab", [SUBNET])
    laid_out.add_second_pool(SECOND_SUBNET)
    return laid_out


@pytest.fixture(scope="session")
def running_kube(moorage: ipams.Moorage) -> Iterator[kubernetes.Cluster]:
    """One Kubernetes for all tests: it takes long to start."""
    try:
        with kubernetes.running(programs.found(), moorage) as running:
            yield running
    except toolchain.UnavailableError as reason:
        pytest.skip(f"no Kubernetes can be run here: {reason}")


@pytest.fixture
def leaked() -> list[str]:
    """Addresses that the controller is to release in this test: it is told nothing, and adds to it.

    What is not on the list is a node's to release, however late.
    """
    return []


@pytest.fixture
def kube(running_kube: kubernetes.Cluster, leaked: list[str]) -> Iterator[kubernetes.Cluster]:
    """The cluster without a pod; after the test there is none again, and nothing is held."""
    before = len(running_kube.controller.released())
    yield running_kube
    running_kube.kubectl("delete", "pods", "--all", "--grace-period=0", "--force")
    running_kube.settled()
    assert [address for address, _, _ in running_kube.controller.released()[before:]] == leaked
