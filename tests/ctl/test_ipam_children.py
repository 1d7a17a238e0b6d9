"""How a pool is divided."""

import pytest

from moorage.ctl import exits
from moorage.ctl.ipam import children
from moorage.v1 import resources_pb2


def pool(cidr: str, **fields: object) -> resources_pb2.Pool:
    """A pool called web."""
    made = resources_pb2.Pool(name="vrfs/blue/pools/web", cidr=cidr)
    made.MergeFrom(resources_pb2.Pool(**fields))  # type: ignore[arg-type]  # fields by name
    return made


def test_the_children_are_of_equal_size_and_called_after_the_pool() -> None:
    divided = children.divide(pool("10.0.1.0/24", block_size=26), 4)
    assert [(child.name, child.cidr) for child in divided] == [
        ("vrfs/blue/pools/split-web-0", "10.0.1.0/26"),
        ("vrfs/blue/pools/split-web-1", "10.0.1.64/26"),
        ("vrfs/blue/pools/split-web-2", "10.0.1.128/26"),
        ("vrfs/blue/pools/split-web-3", "10.0.1.192/26"),
    ]


@pytest.mark.parametrize(
    ("cidr", "parts", "said"),
    [
        ("10.0.0.0/24", 3, "number to split CIDR into is not a valid power of 2: 3"),
        ("10.0.0.0/24", 1, "number to split CIDR into is not a valid power of 2: 1"),
        ("10.0.0.0/24", 0, "number to split CIDR into is not a valid power of 2: 0"),
        ("10.0.0.0/24", -2, "number to split CIDR into is not a valid power of 2: -2"),
        ("10.0.0.0/31", 4, "the CIDR 10.0.0.0/31 is not large enough to be split into 4 parts"),
        ("fd00::/48", 2048, "2048 parts are too many at once; split into 1024, and split those"),
    ],
)
def test_what_cannot_be_divided_is_refused(cidr: str, parts: int, said: str) -> None:
    with pytest.raises(exits.Failed) as failed:
        children.divide(pool(cidr), parts)
    assert failed.value.report.message.startswith(said)


def test_a_name_that_would_be_too_long_is_refused_before_anything_is_done() -> None:
    named = pool("10.0.0.0/24")
    named.name = f"vrfs/blue/pools/{'a' * 246}"
    with pytest.raises(exits.Failed, match="longer than 253 characters"):
        children.divide(named, 2)


def test_a_child_has_every_field_of_the_pool() -> None:
    parent = pool(
        "10.0.0.0/24",
        block_size=26,
        node_selector="zone == 'east'",
        namespace_selector="tier == 'front'",
        allowed_uses=[resources_pb2.USE_WORKLOAD],
        assignment_mode=resources_pb2.ASSIGNMENT_MODE_MANUAL,
        disabled=True,
        block_affinity=resources_pb2.BLOCK_AFFINITY_NONE,
        priority=7,
        result_form=resources_pb2.RESULT_FORM_POOL,
        routes=[resources_pb2.Route(destination="10.9.0.0/16", gateway="10.8.0.1")],
        dns=resources_pb2.Dns(nameservers=["10.8.0.2"]),
        exclude_network_addresses=True,
        labels={"tier": "front"},
    )
    cidrs = ("10.0.0.0/25", "10.0.0.128/25")
    for child, cidr in zip(children.divide(parent, 2), cidrs, strict=True):
        expected = resources_pb2.Pool()
        expected.CopyFrom(parent)
        expected.name = ""
        expected.cidr = cidr
        assert child.pool == expected


def test_a_block_is_never_larger_than_a_child() -> None:
    assert [c.pool.block_size for c in children.divide(pool("10.0.0.0/25", block_size=26), 4)] == [
        27
    ] * 4


def test_a_gateway_goes_to_the_child_that_contains_it_and_the_routes_still_go_by_it() -> None:
    routes = [
        resources_pb2.Route(destination="10.9.0.0/16"),
        resources_pb2.Route(destination="10.8.0.0/16", gateway="10.0.0.7"),
    ]
    first, second = children.divide(pool("10.0.0.0/24", gateway="10.0.0.1", routes=routes), 2)
    assert (first.pool.gateway, list(first.pool.routes)) == ("10.0.0.1", routes)
    assert second.pool.gateway == ""
    assert [route.gateway for route in second.pool.routes] == ["10.0.0.1", "10.0.0.7"]


@pytest.mark.parametrize(
    ("excluded", "halves"),
    [
        ("10.0.0.5", (["10.0.0.5"], [])),
        ("10.0.0.192/26", ([], ["10.0.0.192/26"])),
        ("10.0.0.3-10.0.0.127", (["10.0.0.3-10.0.0.127"], [])),
        ("10.0.0.120-10.0.0.130", (["10.0.0.120-10.0.0.127"], ["10.0.0.128-10.0.0.130"])),
        ("10.0.0.0/24", (["10.0.0.0-10.0.0.127"], ["10.0.0.128-10.0.0.255"])),
    ],
)
def test_an_excluded_range_goes_to_the_children_that_contain_it(
    excluded: str, halves: tuple[list[str], list[str]]
) -> None:
    divided = children.divide(pool("10.0.0.0/24", excluded_ranges=[excluded]), 2)
    assert tuple(list(child.pool.excluded_ranges) for child in divided) == halves
