"""Containers of podman: no pods, wanted addresses in CNI_ARGS, and ids that come again."""

import ipaddress
import pathlib
import secrets
import tempfile
from collections.abc import Iterator

import pytest

from e2e import agent, cnilab, ipams, machine, podman, service, toolchain

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]  # the first test may fetch the programs

SUBNET = ipaddress.ip_network("10.98.0.0/24")


@pytest.fixture(scope="module")
def moorage(central: service.Service) -> ipams.Moorage:
    """One pool, in a VRF of these containers alone."""
    return ipams.Moorage(central.target, f"podman-{secrets.token_hex(4)}", [SUBNET])


@pytest.fixture(scope="module", params=[False, True], ids=["direct", "agent"])
def containers(request: pytest.FixtureRequest, moorage: ipams.Moorage) -> Iterator[podman.Podman]:
    """podman on a machine of its own, with an agent beside it or not."""
    try:
        found = podman.programs()
        # A short path, which the name of a Unix socket must be.
        with (
            tempfile.TemporaryDirectory(prefix="moorage-podman-") as path,
            machine.booted(pathlib.Path(path), programs=[]) as host,
        ):
            beside = agent.Agent(host) if request.param else None
            yield podman.Podman(host, found, moorage.configuration(), through_agent=request.param)
            if beside:
                beside.stop()
    except toolchain.UnavailableError as reason:
        pytest.skip(f"podman with CNI cannot be had here: {reason}")


def _addresses(*texts: str) -> set[cnilab.IPAddress]:
    return {ipaddress.ip_address(text) for text in texts}


def test_two_containers_have_addresses_and_reach_each_other(
    containers: podman.Podman, moorage: ipams.Moorage
) -> None:
    ids = {name: containers.run(name) for name in ("a", "b")}
    first, second = map(containers.address, ids)
    assert moorage.assigned() == _addresses(first, second)
    shown = {one.attachment["containerId"]: str(one.address) for one in moorage.allocations()}
    assert shown == {ids["a"]: first, ids["b"]: second}
    containers("exec", "a", "ping", "-c", "1", "-W", "5", second)
    for name in ids:
        containers.remove(name)
    assert moorage.assigned() == set()


def test_a_container_has_the_address_that_was_wanted_for_it(
    containers: podman.Podman, moorage: ipams.Moorage
) -> None:
    containers.run("fixed", "--ip", "10.98.0.77")
    assert containers.address("fixed") == "10.98.0.77"
    with pytest.raises(machine.CommandFailedError, match=r"10\.98\.0\.77"):
        containers.run("second", "--ip", "10.98.0.77")
    containers.remove("second")
    assert moorage.assigned() == _addresses("10.98.0.77")
    containers.remove("fixed")
    assert moorage.assigned() == set()


def test_a_container_that_is_stopped_and_started_is_added_again_under_its_id(
    containers: podman.Podman, moorage: ipams.Moorage
) -> None:
    container = containers.run("again")
    for _ in range(2):
        containers("stop", "--time=0", "again")
        assert moorage.assigned() == set()
        containers("start", "again")
        [shown] = moorage.allocations()
        assert shown.attachment["containerId"] == container
        assert str(shown.address) == containers.address("again")
    containers.remove("again")
    assert moorage.assigned() == set()
