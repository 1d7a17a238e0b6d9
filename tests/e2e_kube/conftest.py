"""One cluster for all tests, and what a test expects of it before and after."""

import ipaddress
import pathlib
import tempfile
from collections.abc import Iterator

import pytest

from e2e import ipams, service, toolchain
from e2e_kube import cluster as kubernetes
from harness import invariants, postgres

SUBNET = ipaddress.ip_network("10.98.0.0/24")
SECOND_SUBNET = ipaddress.ip_network("10.99.0.0/24")


@pytest.fixture(scope="session")
def central(cluster: postgres.Postgres) -> Iterator[service.Service]:
    """The central server, which a test may stop and start again; its invariants hold at the end."""
    with tempfile.TemporaryDirectory(prefix="moorage-") as path, cluster.database() as database:
        running = service.Service(database, pathlib.Path(path))
        try:
            running.start()
            yield running
        finally:
            running.stop()
        invariants.check(database)


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
        with kubernetes.running(kubernetes.programs(), moorage) as running:
            yield running
    except toolchain.UnavailableError as reason:
        pytest.skip(f"no Kubernetes can be run here: {reason}")


@pytest.fixture
def kube(running_kube: kubernetes.Cluster) -> Iterator[kubernetes.Cluster]:
    """The cluster without a pod; after the test there is none again, and nothing is held."""
    yield running_kube
    running_kube.kubectl("delete", "pods", "--all", "--grace-period=0", "--force")
    running_kube.settled()
