"""assign, release and show: addresses by hand."""

import json

import pytest
import yaml

import moorage
from ctl import program
from harness import calls
from moorage.v1 import resources_pb2


@pytest.fixture
def pools(client: moorage.Client) -> moorage.Client:
    """One pool of each family, and one that must be named."""
    client.create_pool("v4", resources_pb2.Pool(cidr="10.0.0.0/29"))
    client.create_pool("v6", resources_pb2.Pool(cidr="fd00::/120"))
    client.create_pool(
        "named",
        resources_pb2.Pool(
            cidr="10.0.1.0/30", assignment_mode=resources_pb2.ASSIGNMENT_MODE_MANUAL
        ),
    )
    return client


def assigned(moorctl: program.Moorctl, *arguments: str) -> list[str]:
    """Assign, and return the addresses."""
    document = json.loads(moorctl.must("assign", "-o", "json", *arguments))
    return [held["address"] for held in document["allocations"]]


FAMILIES = [
    ([], ["v4"]),
    (["-4"], ["v4"]),
    (["-6"], ["v6"]),
    (["-4", "-6"], ["v4", "v6"]),
    (["--pool", "named"], ["named"]),
    (["--pool", "10.0.1.0/30"], ["named"]),
    (["--pool", "v6"], ["v6"]),
    (["--pool", "named", "--pool", "v6"], ["named", "v6"]),
    (["--pool", "named", "-4", "-6"], ["named", "v6"]),
    (["--ip", "fd00::7"], ["v6"]),
    (["--ip", "10.0.1.1", "--ip", "fd00::7"], ["named", "v6"]),
]


def test_families_follow_from_flags_pools_and_addresses(
    moorctl: program.Moorctl, pools: moorage.Client
) -> None:
    for arguments, expected in FAMILIES:
        out = moorctl.must("assign", "--container-id", "c1", "-o", "json", *arguments)
        drawn = [held["pool"] for held in json.loads(out)["allocations"]]
        assert drawn == [f"vrfs/default/pools/{pool}" for pool in expected], arguments
        moorctl.must("release", "--container-id", "c1")


def test_the_same_command_again_shows_the_same_addresses(
    moorctl: program.Moorctl, pools: moorage.Client
) -> None:
    first = moorctl.must("assign", "--container-id", "c1", "-4", "-6", "-o", "json")
    assert moorctl.must("assign", "--container-id", "c1", "-4", "-6", "-o", "json") == first


def test_an_allocation_carries_what_was_said_about_it(
    moorctl: program.Moorctl, pools: moorage.Client
) -> None:
    (address,) = assigned(
        moorctl,
        *("--container-id", "c1", "--network", "blue", "--interface", "net1", "--node", "n1"),
        *("--namespace", "shop", "--pod", "cart-0", "--owner", "cart", "-l", "tier=front"),
    )
    held = pools.get_allocation(address)
    assert held.attachment == resources_pb2.Attachment(
        network="blue", container_id="c1", interface="net1"
    )
    assert held.workload == resources_pb2.Workload(node="n1", namespace="shop", pod="cart-0")
    assert (held.owner_key, dict(held.labels)) == ("cart", {"tier": "front"})


def test_of_several_addresses_the_first_free_one_is_assigned(
    moorctl: program.Moorctl, pools: moorage.Client
) -> None:
    wanted = ["--ip", "10.0.0.3", "--ip", "10.0.0.4"]
    assert assigned(moorctl, "--container-id", "c1", *wanted) == ["10.0.0.3"]
    assert assigned(moorctl, "--container-id", "c2", *wanted) == ["10.0.0.4"]
    ended = moorctl("assign", "--container-id", "c3", *wanted)
    assert (ended.code, ended.out) == (4, "")
    assert ended.err.startswith("moorctl: cannot assign addresses to container c3: ")
    assert "ADDRESS_IN_USE" in ended.err


def test_a_full_pool_has_an_exit_code_of_its_own(
    moorctl: program.Moorctl, pools: moorage.Client
) -> None:
    for number in range(4):
        assigned(moorctl, "--container-id", f"c{number}", "--pool", "named")
    ended = moorctl("assign", "--container-id", "late", "--pool", "named", "-o", "json")
    assert (ended.code, ended.out) == (5, "")
    assert (ended.error()["code"], ended.error()["reason"]) == (
        "RESOURCE_EXHAUSTED",
        "POOL_EXHAUSTED",
    )


def test_a_pool_that_is_not_there_is_not_found(
    moorctl: program.Moorctl, pools: moorage.Client
) -> None:
    assert moorctl("assign", "--container-id", "c1", "--pool", "none").code == 3


def test_no_pool_for_the_workload_is_a_conflict(moorctl: program.Moorctl) -> None:
    ended = moorctl("assign", "--container-id", "c1")
    assert (ended.code, ended.out) == (4, "")
    assert "NO_ELIGIBLE_POOL" in ended.err


def test_a_container_releases_all_that_it_holds(
    moorctl: program.Moorctl, pools: moorage.Client
) -> None:
    addresses = assigned(moorctl, "--container-id", "c1", "-4", "-6")
    out = moorctl.must("release", "--container-id", "c1")
    assert out.splitlines() == [f"allocation/{address} released" for address in addresses]
    assert list(pools.allocations()) == []


@pytest.mark.parametrize("which", ["--container-id c1", "--ip 10.0.0.0"])
def test_a_late_copy_of_an_assign_is_fenced_by_a_release_from_another_machine(
    moorctl: program.Moorctl, pools: moorage.Client, which: str
) -> None:
    attempt = resources_pb2.AttemptStamp(boot_id="of the node", boot_time_ns=100)
    holder = resources_pb2.Attachment(network="default", container_id="c1", interface="eth0")
    wanted = [calls.fixed("10.0.0.0")]
    pools.assign(holder, wanted, attempt=attempt)
    assert moorctl.must("release", *which.split()) == "allocation/10.0.0.0 released\n"
    with pytest.raises(moorage.MoorageError) as late:
        pools.assign(holder, wanted, attempt=attempt)
    assert late.value.reason == "ATTACHMENT_RELEASED"


def test_releasing_what_is_not_there_succeeds(
    moorctl: program.Moorctl, pools: moorage.Client
) -> None:
    ended = moorctl("release", "--container-id", "c1")
    assert (ended.code, ended.out) == (0, "")
    assert ended.err == "nothing was held; nothing was released\n"
    assert json.loads(moorctl.must("release", "--container-id", "c1", "-o", "json")) == {
        "allocations": []
    }


def test_another_interface_of_the_container_keeps_its_address(
    moorctl: program.Moorctl, pools: moorage.Client
) -> None:
    (first,) = assigned(moorctl, "--container-id", "c1")
    (second,) = assigned(moorctl, "--container-id", "c1", "--interface", "net1")
    moorctl.must("release", "--container-id", "c1")
    assert [held.address for held in pools.allocations()] == [second]
    assert first != second


def test_an_address_is_released_whoever_holds_it(
    moorctl: program.Moorctl, pools: moorage.Client
) -> None:
    (address,) = assigned(moorctl, "--container-id", "c1")
    assert moorctl.must("release", "--ip", address) == f"allocation/{address} released\n"
    ended = moorctl("release", "--ip", address)
    assert (ended.code, ended.out) == (3, "")


def test_show_says_who_holds_an_address(moorctl: program.Moorctl, pools: moorage.Client) -> None:
    (address,) = assigned(moorctl, "--container-id", "c1", "--namespace", "shop", "--pod", "cart-0")
    facts = dict(line.split(":", 1) for line in moorctl.must("show", "--ip", address).splitlines())
    assert facts["Address"].strip() == f"{address}/32"
    assert facts["Vrf"].strip() == "default"
    assert (facts["Namespace"].strip(), facts["Pod"].strip()) == ("shop", "cart-0")
    assert facts["Container"].strip() == "c1"
    assert "Node" not in facts


@pytest.mark.parametrize("output", ["json", "yaml"])
def test_show_knows_the_formats_of_get(
    moorctl: program.Moorctl, pools: moorage.Client, output: str
) -> None:
    (address,) = assigned(moorctl, "--container-id", "c1")
    shown = yaml.safe_load(moorctl.must("show", "--ip", address, "-o", output))
    assert shown == json.loads(moorctl.must("get", "allocation", address, "-o", "json"))
    assert moorctl.must("show", "--ip", address, "-o", "name") == f"allocation/{address}\n"


def test_show_says_that_nobody_holds_an_address(
    moorctl: program.Moorctl, pools: moorage.Client
) -> None:
    ended = moorctl("show", "--ip", "10.0.0.2")
    assert (ended.code, ended.out) == (3, "")
    first = ended.err.splitlines()[0]
    assert first.startswith("moorctl: cannot show 10.0.0.2: ")
    assert "ALLOCATION_NOT_FOUND: address=10.0.0.2, vrf=default" in ended.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("show",),
        ("release",),
        ("ipam", "release"),
        ("ipam", "show"),
        ("assign", "--container-id=c1"),
    ],
)
def test_a_zone_is_refused_in_one_wording(
    offline: program.Moorctl, arguments: tuple[str, ...]
) -> None:
    ended = offline(*arguments, "--ip", "fe80::1%eth0")
    assert (ended.code, ended.out) == (2, "")
    assert "'fe80::1%eth0': zones do not belong to an address; leave out the % part" in ended.err


@pytest.mark.parametrize("pool", ["10.0.1.0/255.255.255.252", "10.0.1.0/030"])
def test_a_pool_is_named_by_a_plain_cidr(offline: program.Moorctl, pool: str) -> None:
    ended = offline("assign", "--container-id", "c1", "--pool", pool)
    assert (ended.code, ended.out) == (2, "")


def test_an_address_of_another_vrf_is_another_address(
    moorctl: program.Moorctl, pools: moorage.Client
) -> None:
    (address,) = assigned(moorctl, "--container-id", "c1")
    pools.create_vrf("blue")
    assert moorctl("show", "--ip", address, "--vrf", "blue").code == 3
