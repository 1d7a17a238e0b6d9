"""The whole chain of a pod's network: cnitool, the bridge plugin, an IPAM plugin, real packets."""

import pytest

from e2e import cnilab, ipams

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]  # the first test may build the programs

# STATUS and GC came with version 1.1.0 of the specification, which not every package speaks.
speaks_newest = pytest.mark.parametrize("chain", ["upstream"], indirect=True)


def test_two_pods_reach_each_other_and_their_gateway(lab: cnilab.Lab) -> None:
    first, second = lab.add("a"), lab.add("b")
    for address in second.addresses:
        lab.ping("a", address.ip)
    for address in first.addresses:
        lab.ping("b", address.ip)
    for gateway in first.gateways:
        lab.ping("a", gateway)


def test_add_puts_one_address_of_each_pool_on_the_interface(
    lab: cnilab.Lab, chain: cnilab.Chain, subnets: tuple[cnilab.IPNetwork, ...]
) -> None:
    attached = lab.add("a")
    assert attached.cni_version == chain.cni_version
    assert [address.network for address in attached.addresses] == list(subnets)
    assert lab.interfaces("a") == {"eth0": attached.addresses}


def test_the_record_shows_exactly_the_addresses_that_add_returned(
    lab: cnilab.Lab, ipam: ipams.Ipam
) -> None:
    returned = (*lab.add("a").addresses, *lab.add("b").addresses)
    assert ipam.assigned() == {address.ip for address in returned}
    assert len(set(returned)) == len(returned)


def test_del_removes_the_interface_and_empties_the_record(
    lab: cnilab.Lab, ipam: ipams.Ipam
) -> None:
    lab.add("a")
    kept = lab.add("b")
    lab.delete("a")
    assert lab.interfaces("a") == {}
    assert ipam.assigned() == {address.ip for address in kept.addresses}
    lab.delete("b")
    assert ipam.assigned() == set()


def test_del_succeeds_as_often_as_the_runtime_sends_it(lab: cnilab.Lab, ipam: ipams.Ipam) -> None:
    lab.add("a")
    for _ in range(3):
        lab.delete("a")
    assert ipam.assigned() == set()


def test_a_namespace_is_attached_again_after_del(lab: cnilab.Lab, ipam: ipams.Ipam) -> None:
    lab.add("a")
    lab.delete("a")
    again = lab.add("a")
    assert ipam.assigned() == {address.ip for address in again.addresses}


def test_check_passes_after_add_and_fails_after_the_address_left(lab: cnilab.Lab) -> None:
    attached = lab.add("a")
    lab.check("a")
    lab.run("ip", "-n", "a", "address", "del", str(attached.addresses[0]), "dev", "eth0")
    with pytest.raises(cnilab.CommandFailedError):
        lab.check("a")


@speaks_newest
def test_status_passes(lab: cnilab.Lab) -> None:
    lab.status()


@speaks_newest
def test_gc_releases_what_no_attachment_needs(lab: cnilab.Lab, ipam: ipams.Ipam) -> None:
    lab.add("a")
    lab.collect_garbage()
    assert ipam.assigned() == set()
