"""The tables of moorctl ipam: how they are drawn, how figures are written, what is borrowed."""

import pytest

from moorage.ctl import boxes
from moorage.ctl.ipam import borrowed, usage
from moorage.v1 import resources_pb2

SATURATED = 2**63 - 1


def test_a_table_has_titles_in_the_middle_and_bare_numbers_on_the_right() -> None:
    drawn = boxes.lines(("CIDR", "IPS", "FREE"), [["10.0.0.0/16", "65536", "9 (0%)"]] * 2)
    assert list(drawn) == [
        "+-------------+-------+--------+",
        "|    CIDR     |  IPS  |  FREE  |",
        "+-------------+-------+--------+",
        "| 10.0.0.0/16 | 65536 | 9 (0%) |",
        "| 10.0.0.0/16 | 65536 | 9 (0%) |",
        "+-------------+-------+--------+",
    ]


def test_an_odd_blank_of_a_title_is_on_its_right_and_a_huge_number_is_a_number() -> None:
    assert list(boxes.lines(("ABC", "IPS"), [["ABCD", "5"], ["", "1.8447e+19"]])) == [
        "+------+------------+",
        "| ABC  |    IPS     |",
        "+------+------------+",
        "| ABCD |          5 |",
        "|      | 1.8447e+19 |",
        "+------+------------+",
    ]


def test_a_table_without_rows_is_its_header() -> None:
    assert list(boxes.lines(("A", "B"), [])) == ["+---+---+", "| A | B |", "+---+---+"]


def test_no_cell_can_steer_a_terminal() -> None:
    assert r"\x1b[2J" in "\n".join(boxes.lines(("A",), [["\x1b[2J"]]))


@pytest.mark.parametrize(
    ("count", "written"),
    [
        (0, "0"),
        (5, "5"),
        (65531, "65531"),
        (65536, "65536"),
        (131072, "1.3107e+05"),
        (2**64, "1.8447e+19"),
        (2**80, "1.2089e+24"),
    ],
)
def test_a_count_has_five_significant_digits(count: int, written: str) -> None:
    assert usage.number(count) == written


@pytest.mark.parametrize(
    ("count", "total", "written"),
    [
        (5, 65536, "5 (0%)"),
        (65531, 65536, "65531 (100%)"),
        (7, 64, "7 (11%)"),
        (5, 64, "5 (8%)"),
        (0, 1, "0 (0%)"),
        (1, 1, "1 (100%)"),
        (2**64 - 6, 2**64, "1.8447e+19 (100%)"),
    ],
)
def test_a_share_is_in_whole_percent(count: int, total: int, written: str) -> None:
    assert usage.share(count, total) == written


def test_what_cools_counts_as_in_use() -> None:
    counts = resources_pb2.AddressCounts(
        capacity_count=64, assigned_count=3, cooling_count=2, reserved_count=4, available_count=55
    )
    assert usage.of("10.0.0.0/26", counts).row("Block") == [
        *("Block", "10.0.0.0/26", "64", "5 (8%)", "4 (6%)", "55 (86%)")
    ]


def test_a_range_beyond_the_counters_is_reckoned_from_its_cidr() -> None:
    counts = resources_pb2.AddressCounts(
        capacity_count=SATURATED, assigned_count=6, reserved_count=2, available_count=SATURATED
    )
    used = usage.of("fd00::/64", counts)
    assert used.row("IP Pool") == [
        *("IP Pool", "fd00::/64", "1.8447e+19", "6 (0%)", "2 (0%)", "1.8447e+19 (100%)")
    ]
    assert used.free == 2**64 - 8


def held(address: str, node: str, pod: str = "") -> resources_pb2.Allocation:
    """An allocation in the /30 of its address."""
    block = f"{address[:-1]}0/30"
    return resources_pb2.Allocation(
        address=address,
        block=block,
        use=resources_pb2.USE_WORKLOAD,
        workload=resources_pb2.Workload(node=node, namespace="shop" if pod else "", pod=pod),
    )


def test_borrowed_is_what_lies_in_the_block_of_another_node_or_of_none() -> None:
    tunnel = held("10.0.3.1", "n3")
    tunnel.use = resources_pb2.USE_TUNNEL
    allocations = [
        held("10.0.1.1", "n1", pod="own-block"),
        held("10.0.1.2", "n2", pod="cart"),
        held("10.0.2.1", "n1", pod="blog"),
        tunnel,
        held("10.0.1.3", ""),
        held("10.0.9.1", "n1", pod="block-is-gone"),
    ]
    blocks = [
        resources_pb2.Block(cidr="10.0.1.0/30", node="n1"),
        resources_pb2.Block(cidr="10.0.2.0/30"),
        resources_pb2.Block(cidr="10.0.3.0/30", node="n1"),
    ]
    assert [each.row() for each in borrowed.find(allocations, blocks)] == [
        ["10.0.1.2", "n2", "10.0.1.0/30", "n1", "pod", "shop/cart"],
        ["10.0.2.1", "n1", "10.0.2.0/30", "", "pod", "shop/blog"],
        ["10.0.3.1", "n3", "10.0.3.0/30", "n1", "tunnel", ""],
    ]
