"""moorctl ipam show: usage, borrowing, configuration and single addresses, against a server."""

import pytest

import moorage
from ctl import holdings, program
from moorage.v1 import resources_pb2


@pytest.fixture
def pools(client: moorage.Client) -> moorage.Client:
    """A pool of each family, the second one huge."""
    client.create_pool("a", resources_pb2.Pool(cidr="10.0.0.0/16"))
    client.create_pool("b", resources_pb2.Pool(cidr="fd00::/64"))
    return client


@pytest.fixture
def used(pools: moorage.Client) -> moorage.Client:
    """Five addresses in one block and one in another, and four reserved in the first."""
    for number in range(5):
        address = f"10.0.0.{number}"
        holdings.assign(pools, address, container=f"c{number}", node="n1", pod=f"pod-{number}")
    holdings.assign(pools, "fd00::7", container="c7", node="n1", pod="pod-7")
    pools.create_reservation("r", resources_pb2.Reservation(cidrs=["10.0.0.32/30"]))
    return pools


def test_pools_are_shown_with_their_usage(moorctl: program.Moorctl, used: moorage.Client) -> None:
    assert moorctl.must("ipam", "show").splitlines() == [
        "+----------+-------------+------------+------------+--------------+-------------------+",
        "| GROUPING |    CIDR     | IPS TOTAL  | IPS IN USE | IPS RESERVED |     IPS FREE      |",
        "+----------+-------------+------------+------------+--------------+-------------------+",
        "| IP Pool  | 10.0.0.0/16 |      65536 | 5 (0%)     | 4 (0%)       | 65527 (100%)      |",
        "| IP Pool  | fd00::/64   | 1.8447e+19 | 1 (0%)     | 0 (0%)       | 1.8447e+19 (100%) |",
        "+----------+-------------+------------+------------+--------------+-------------------+",
    ]


def test_blocks_stand_below_their_pool(moorctl: program.Moorctl, used: moorage.Client) -> None:
    lines = moorctl.must("ipam", "show", "--show-blocks").splitlines()
    assert [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[3:-1]] == [
        ["IP Pool", "10.0.0.0/16", "65536", "5 (0%)", "4 (0%)", "65527 (100%)"],
        ["Block", "10.0.0.0/26", "64", "5 (8%)", "4 (6%)", "55 (86%)"],
        ["IP Pool", "fd00::/64", "1.8447e+19", "1 (0%)", "0 (0%)", "1.8447e+19 (100%)"],
        ["Block", "fd00::/122", "64", "1 (2%)", "0 (0%)", "63 (98%)"],
    ]


def test_usage_in_json_is_exact(moorctl: program.Moorctl, used: moorage.Client) -> None:
    narrow = moorctl("ipam", "show", "-o", "json").json()
    first = {"cidr": "10.0.0.0/16", "total": 65536, "inUse": 5, "reserved": 4, "free": 65527}
    second = {"cidr": "fd00::/64", "total": 2**64, "inUse": 1, "reserved": 0, "free": 2**64 - 1}
    assert narrow == {
        "pools": [
            {"name": "vrfs/default/pools/a", **first},
            {"name": "vrfs/default/pools/b", **second},
        ]
    }
    wide = moorctl("ipam", "show", "--show-blocks", "-o", "json").json()
    block = {"cidr": "10.0.0.0/26", "total": 64, "inUse": 5, "reserved": 4, "free": 55}
    assert isinstance(wide, dict)
    assert wide["pools"][0] == {
        "name": "vrfs/default/pools/a",
        **first,
        "blocks": [{"node": "n1", **block}],
    }


def test_without_pools_there_is_a_header(moorctl: program.Moorctl) -> None:
    header = "| GROUPING | CIDR | IPS TOTAL | IPS IN USE | IPS RESERVED | IPS FREE |"
    assert moorctl.must("ipam", "show").splitlines()[1:2] == [header]
    assert moorctl("ipam", "show", "-o", "json").json() == {"pools": []}


def test_the_borrowed_are_shown_with_the_owner_of_their_block(
    moorctl: program.Moorctl, client: moorage.Client
) -> None:
    client.create_pool("one-block", resources_pb2.Pool(cidr="10.0.0.0/26"))
    holdings.assign(client, "10.0.0.1", container="c1", node="n1", pod="own")
    holdings.assign(client, "10.0.0.2", container="c2", node="n2", pod="cart")
    holdings.assign(client, "10.0.0.3", container="c3")
    ended = moorctl("ipam", "show", "--show-borrowed")
    assert ended.out.splitlines() == [
        "+----------+----------------+-------------+-------------+------+--------------+",
        "|    IP    | BORROWING-NODE |    BLOCK    | BLOCK OWNER | TYPE | ALLOCATED-TO |",
        "+----------+----------------+-------------+-------------+------+--------------+",
        "| 10.0.0.2 | n2             | 10.0.0.0/26 | n1          | pod  | shop/cart    |",
        "+----------+----------------+-------------+-------------+------+--------------+",
    ]
    note = "of no node, so that whether they are borrowed cannot be said: 1 address\n"
    assert (ended.code, ended.err) == (0, note)
    assert moorctl("ipam", "show", "--show-borrowed", "-o", "json").json() == {
        "borrowed": [
            {
                "address": "10.0.0.2",
                "borrowingNode": "n2",
                "block": "10.0.0.0/26",
                "blockOwner": "n1",
                "type": "pod",
                "allocatedTo": "shop/cart",
            }
        ],
        "unclassifiedCount": 1,
    }


def test_the_configuration_is_shown_by_property(
    moorctl: program.Moorctl, client: moorage.Client
) -> None:
    client.update_vrf(
        resources_pb2.Vrf(
            name="vrfs/default",
            configuration=resources_pb2.VrfConfiguration(
                strict_affinity=True, max_blocks_per_node=2, cooldown_seconds=30
            ),
        )
    )
    assert moorctl.must("ipam", "show", "--show-configuration").splitlines() == [
        "+--------------------+-------+",
        "|      PROPERTY      | VALUE |",
        "+--------------------+-------+",
        "| StrictAffinity     | true  |",
        "| AutoAllocateBlocks | true  |",
        "| MaxBlocksPerHost   |     2 |",
        "| IPCooldownSeconds  |    30 |",
        "+--------------------+-------+",
    ]


def test_the_default_configuration_in_json(moorctl: program.Moorctl) -> None:
    assert moorctl("ipam", "show", "--show-configuration", "-o", "json").json() == {
        "strictAffinity": False,
        "autoAllocateBlocks": True,
        "maxBlocksPerHost": 0,
        "ipCooldownSeconds": 0,
    }


def test_an_address_in_use_is_shown_with_its_attributes(
    moorctl: program.Moorctl, used: moorage.Client
) -> None:
    held = used.get_allocation("10.0.0.3")
    assigned = f"{held.assign_time.ToDatetime().isoformat(timespec='seconds')}Z"
    assert moorctl.must("ipam", "show", "--ip", "10.0.0.3").splitlines() == [
        "IP 10.0.0.3 is in use",
        "Handle ID: net.c3",
        "Active Owner Attributes:",
        f"  assigned: {assigned}",
        "  block: 10.0.0.0/26",
        f"  generation: {held.generation}",
        "  interface: eth0",
        "  namespace: shop",
        "  node: n1",
        "  pod: pod-3",
        "  pool: a",
        "  use: WORKLOAD",
    ]
    document = moorctl("ipam", "show", "--ip", "10.0.0.3", "-o", "json").json()
    assert isinstance(document, dict)
    assert document["allocation"] == moorctl("show", "--ip", "10.0.0.3", "-o", "json").json()
    assert (document["inUse"], document["handleId"]) == (True, "net.c3")


def test_an_address_of_which_nothing_was_told_has_no_attributes(
    moorctl: program.Moorctl, pools: moorage.Client
) -> None:
    holdings.assign(pools, "10.0.0.3")
    assert moorctl.must("ipam", "show", "--ip", "10.0.0.3").splitlines() == [
        "IP 10.0.0.3 is in use",
        "Handle ID: net.c1",
        "No Active Owner attributes defined",
    ]


def test_an_address_that_nobody_holds_is_not_assigned(
    moorctl: program.Moorctl, pools: moorage.Client
) -> None:
    assert moorctl.must("ipam", "show", "--ip", "10.0.0.3") == "10.0.0.3 is not assigned\n"
    assert moorctl("ipam", "show", "--ip", "10.0.0.3", "-o", "json").json() == {
        "address": "10.0.0.3",
        "inUse": False,
    }


def test_an_address_of_a_vrf_that_is_not_there_is_an_error(moorctl: program.Moorctl) -> None:
    ended = moorctl("ipam", "show", "--ip", "10.0.0.3", "--vrf", "none")
    assert (ended.code, ended.out) == (3, "")
    assert "VRF_NOT_FOUND" in ended.err


def test_one_thing_is_shown_at_a_time(offline: program.Moorctl) -> None:
    ended = offline("ipam", "show", "--show-blocks", "--show-borrowed")
    assert (ended.code, ended.out) == (2, "")
    assert "at most one of these options" in ended.err
