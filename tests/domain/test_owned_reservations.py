"""Reservations for an owner: drawn from first by it, kept from everybody else."""

import pytest

from harness.world import World, any_ipv4, any_ipv6, fixed, pool
from moorage_server.domain import errors, resources

STRICT = resources.VrfConfiguration(strict_affinity=True)


def world(**owned: str) -> World:
    """Two blocks of four; `owned` are the ranges of owners."""
    ranges = {text: owner for owner, text in owned.items()}
    return World(pool("a", "10.0.0.0/29", block_size=30), owned=ranges)


def test_its_owner_draws_from_it_first_in_order_and_then_from_the_rest() -> None:
    made = world(db="10.0.0.5-10.0.0.6")
    drawn = [made.assign(any_ipv4(), owner="db", node="n1")[0] for _ in range(3)]
    assert drawn == ["10.0.0.5", "10.0.0.6", "10.0.0.4"]


def test_nobody_else_gets_it_not_even_by_name() -> None:
    made = world(db="10.0.0.0-10.0.0.5")
    assert made.assign(any_ipv4(), owner="mail", node="n1") == ["10.0.0.6"]
    assert made.assign(any_ipv4(), node="n1") == ["10.0.0.7"]
    for owner in ("mail", ""):
        with pytest.raises(errors.AddressKept):
            made.assign(fixed("10.0.0.0"), owner=owner)
        with pytest.raises(errors.PoolExhausted):
            made.assign(any_ipv4(), owner=owner)
    assert made.assign(fixed("10.0.0.3"), owner="db") == ["10.0.0.3"]


def test_a_range_that_two_owners_share_is_for_both_and_for_nobody_else() -> None:
    made = World(
        pool("a", "10.0.0.0/29", block_size=30), owned={"10.0.0.0/31": "x", "10.0.0.1": "y"}
    )
    assert made.assign(any_ipv4(), owner="y") == ["10.0.0.1"]
    assert made.assign(any_ipv4(), owner="x") == ["10.0.0.0"]
    with pytest.raises(errors.AddressKept):
        made.assign(fixed("10.0.0.0"), owner="y")


def test_only_pools_that_serve_the_request_are_drawn_from() -> None:
    made = World(
        pool("a", "10.0.0.0/30", disabled=True),
        pool("b", "10.0.1.0/30"),
        pool("six", "fd00::/120"),
        owned={"10.0.0.0": "db", "10.0.1.2": "db", "fd00::9": "db"},
    )
    assert made.assign(any_ipv4(), any_ipv6(), owner="db") == ["10.0.1.2", "fd00::9"]
    other = World(pool("a", "10.0.0.0/30"), pool("b", "10.0.1.0/30"), owned={"10.0.0.1": "db"})
    assert other.assign(any_ipv4("b"), owner="db") == ["10.0.1.0"]


def test_what_is_withheld_from_the_pool_stays_so() -> None:
    gateway = pool("a", "10.0.0.0/30", exclude_network_addresses=True)
    made = World(gateway, owned={"10.0.0.0/30": "db"})
    assert made.assign(any_ipv4(), owner="db") == ["10.0.0.1"]
    assert made.assign(any_ipv4(), owner="db") == ["10.0.0.2"]
    with pytest.raises(errors.PoolExhausted):
        made.assign(any_ipv4(), owner="db")


def test_with_strict_affinity_nothing_comes_from_the_block_of_another_node() -> None:
    made = World(
        pool("a", "10.0.0.0/29", block_size=30),
        owned={"10.0.0.3-10.0.0.4": "db"},
        configuration=STRICT,
    )
    made.assign(any_ipv4(), node="n1")
    assert made.assign(any_ipv4(), owner="db", node="n2") == ["10.0.0.4"]
    assert made.assign(any_ipv4(), owner="db", node="n1") == ["10.0.0.3"]


def test_what_cools_there_is_the_owners_at_once() -> None:
    made = World(pool("a", "10.0.0.0/30", cooldown=30), owned={"10.0.0.2": "db"})
    made.assign(any_ipv4(), owner="db")
    made.release("10.0.0.2")
    assert made.assign(any_ipv4(), owner="db") == ["10.0.0.2"]


def test_what_is_kept_for_the_owner_goes_before_what_is_reserved_for_it() -> None:
    made = world(db="10.0.0.2")
    made.assign(fixed("10.0.0.6"), owner="db", sticky=60)
    made.release("10.0.0.6")
    assert made.assign(any_ipv4(), owner="db") == ["10.0.0.6"]
    assert made.assign(any_ipv4(), owner="db") == ["10.0.0.2"]


def test_a_reserved_address_comes_back_to_its_owner_when_it_is_sticky_too() -> None:
    made = world(db="10.0.0.1-10.0.0.2")
    given = made.assign(any_ipv4(), any_ipv4(), owner="db", sticky=60)
    made.release(given[1])
    assert made.assign(any_ipv4(), owner="db") == [given[1]]


def test_a_reservation_of_another_owner_takes_a_sticky_address_away() -> None:
    before = World(pool("a", "10.0.0.0/29", block_size=30))
    before.assign(fixed("10.0.0.1"), owner="old", sticky=60)
    before.release("10.0.0.1")
    made = world(new="10.0.0.1")
    made.blocks, made.frontiers = before.blocks, before.frontiers
    assert made.assign(any_ipv4(), owner="old") == ["10.0.0.0"]
    with pytest.raises(errors.AddressKept):
        made.assign(fixed("10.0.0.1"), owner="old")


def test_who_has_used_its_own_up_is_given_what_is_free() -> None:
    made = World(pool("a", "10.0.0.0/29", block_size=30), owned={"10.0.0.0/30": "db"})
    drawn = [made.assign(any_ipv4(), owner="db")[0] for _ in range(5)]
    assert drawn[:4] == ["10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.3"]
    assert drawn[4] == "10.0.0.4"
