"""What only Moorage offers at the end of the chain: annotations, and a table that names the pod."""

import ipaddress
import json

import pytest

from e2e import cnilab, ipams

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(900),  # the first test may build the programs
    pytest.mark.parametrize("kind", ipams.HOSTS, indirect=True),
]

dual_stack = pytest.mark.parametrize("subnets", ["dual-stack"], indirect=True)
ipv4_only = pytest.mark.parametrize("subnets", ["ipv4"], indirect=True)

IP_ADDRS = "cni.projectcalico.org/ipAddrs"
IPV4_POOLS = "cni.projectcalico.org/ipv4pools"
SECOND_SUBNET = ipaddress.ip_network("10.99.0.0/24")


def _listed(*texts: str) -> str:
    return json.dumps(texts)


@dual_stack
def test_addresses_named_by_annotation_are_the_pod_s(
    lab: cnilab.Lab, moorage: ipams.Moorage
) -> None:
    attached = lab.add("a", annotations={IP_ADDRS: _listed("10.98.0.77", "fd00:98::77")})
    assert [str(address) for address in attached.addresses] == ["10.98.0.77/24", "fd00:98::77/64"]
    assert lab.interfaces("a") == {"eth0": attached.addresses}
    assert moorage.assigned() == {address.ip for address in attached.addresses}
    lab.add("b")
    for address in attached.addresses:
        lab.ping("b", address.ip)


@ipv4_only
def test_each_pod_gets_the_first_free_one_of_the_listed_addresses(lab: cnilab.Lab) -> None:
    annotations = {IP_ADDRS: _listed("10.98.0.77", "10.98.0.78")}
    first, second = (lab.add(namespace, annotations=annotations) for namespace in ("a", "b"))
    assert [str(address) for address in first.addresses] == ["10.98.0.77/24"]
    assert [str(address) for address in second.addresses] == ["10.98.0.78/24"]


@ipv4_only
def test_an_address_that_another_pod_holds_fails_add(
    lab: cnilab.Lab, moorage: ipams.Moorage
) -> None:
    annotations = {IP_ADDRS: _listed("10.98.0.77")}
    first = lab.add("a", annotations=annotations)
    with pytest.raises(cnilab.CommandFailedError, match=r"10\.98\.0\.77"):
        lab.add("b", annotations=annotations)
    lab.delete("b", annotations=annotations)  # as every runtime does after a failed ADD
    assert lab.interfaces("b") == {}
    assert moorage.assigned() == {address.ip for address in first.addresses}


@dual_stack
def test_an_address_of_no_pool_fails_add_and_leaves_nothing(
    lab: cnilab.Lab, moorage: ipams.Moorage
) -> None:
    annotations = {IP_ADDRS: _listed("192.0.2.1", "fd00:98::77")}
    with pytest.raises(cnilab.CommandFailedError, match=f"{IP_ADDRS}.*192.0.2.1"):
        lab.add("a", annotations=annotations)
    assert moorage.assigned() == set()
    lab.delete("a", annotations=annotations)  # as every runtime does after a failed ADD
    assert lab.interfaces("a") == {}


@dual_stack
@pytest.mark.parametrize("pool", [ipams.SECOND_POOL, str(SECOND_SUBNET)])
def test_ipv4pools_draws_from_the_pool_it_names(
    lab: cnilab.Lab, moorage: ipams.Moorage, subnets: tuple[cnilab.IPNetwork, ...], pool: str
) -> None:
    moorage.add_second_pool(SECOND_SUBNET)
    first, second = (
        lab.add(namespace, annotations={IPV4_POOLS: _listed(pool)}) for namespace in ("a", "b")
    )
    assert [address.network for address in first.addresses] == [SECOND_SUBNET, subnets[1]]
    for address in second.addresses:
        lab.ping("a", address.ip)
    lab.check("a")
    assert moorage.assigned() == {ip.ip for ip in (*first.addresses, *second.addresses)}


@ipv4_only
def test_del_needs_no_annotation_to_find_what_one_asked_for(
    lab: cnilab.Lab, moorage: ipams.Moorage
) -> None:
    lab.add("a", annotations={IP_ADDRS: _listed("10.98.0.77")})
    lab.delete("a")
    assert moorage.assigned() == set()


@dual_stack
def test_the_table_names_the_pod_behind_every_address(
    lab: cnilab.Lab, moorage: ipams.Moorage
) -> None:
    lab.add("a")
    shown = moorage.allocations()
    assert len(shown) == 2
    for allocation in shown:
        workload, attachment = allocation.workload, allocation.attachment
        assert (workload["namespace"], workload["pod"]) == ("shop", "web-a")
        assert (attachment["network"], attachment["interface"]) == (cnilab.NETWORK, "eth0")


@dual_stack
def test_check_fails_once_an_address_was_released_behind_the_pod_s_back(
    lab: cnilab.Lab, moorage: ipams.Moorage
) -> None:
    attached = lab.add("a")
    lab.check("a")
    moorage.release(attached.addresses[0].ip)
    with pytest.raises(cnilab.CommandFailedError, match=str(attached.addresses[0].ip)):
        lab.check("a")
