"""Addresses that stay kept for their owner after their release."""

import datetime

import pytest

from harness.world import World, any_ipv4, fixed, pool
from moorage_server.domain import errors, resources

DAY = 86_400


def kept(world: World) -> dict[str, str]:
    """What is kept, and for whom."""
    return {
        str(block.address(each.ordinal)): each.owner_key
        for block in world.blocks.values()
        for each in block.sticky
    }


@pytest.fixture
def world() -> World:
    """A block of four on n1, of which 10.0.0.0 is kept for "db-0"."""
    made = World(pool("a", "10.0.0.0/30", block_size=30))
    made.assign(any_ipv4(), owner="db-0", node="n1", sticky=DAY)
    made.assign(any_ipv4(), node="n1")
    made.release("10.0.0.0")
    return made


def test_it_is_given_to_nobody_else(world: World) -> None:
    assert [world.assign(any_ipv4(), node="n1")[0] for _ in range(2)] == ["10.0.0.2", "10.0.0.3"]
    with pytest.raises(errors.PoolExhausted) as refused:
        world.assign(any_ipv4(), owner="db-1", node="n1")
    assert refused.value.metadata["kept"] == "1"
    assert refused.value.metadata["assigned"] == "3"
    with pytest.raises(errors.AddressKept):
        world.assign(fixed("10.0.0.0"), owner="db-1")
    with pytest.raises(errors.AddressKept):
        world.assign(fixed("10.0.0.0"))


def test_its_owner_gets_it_first_from_any_node_and_keeps_it_only_where_it_asks(
    world: World,
) -> None:
    assert world.assign(any_ipv4(), owner="db-0", node="n2") == ["10.0.0.0"]
    assert kept(world) == {}
    world.release("10.0.0.0")
    assert kept(world) == {}


def test_strict_affinity_does_not_keep_it_from_its_owner(world: World) -> None:
    world.catalog.configuration = resources.VrfConfiguration(strict_affinity=True)
    assert world.assign(any_ipv4(), owner="db-0", node="n2", sticky=DAY) == ["10.0.0.0"]
    world.release("10.0.0.0")
    assert world.assign(fixed("10.0.0.0"), owner="db-0", node="n3") == ["10.0.0.0"]


def test_it_is_for_its_interface_unless_it_is_asked_for_by_name(world: World) -> None:
    assert world.assign(any_ipv4(), owner="db-0", node="n1", interface="eth1") == ["10.0.0.2"]
    assert world.assign(fixed("10.0.0.0"), owner="db-0", interface="eth1") == ["10.0.0.0"]


def test_pools_must_still_serve_the_owner(world: World) -> None:
    moved = World(pool("a", "10.0.0.0/30", block_size=30, disabled=True), pool("b", "10.0.1.0/30"))
    moved.blocks, moved.frontiers = world.blocks, {**moved.frontiers, **world.frontiers}
    assert moved.assign(any_ipv4(), owner="db-0")[0].startswith("10.0.1.")


def test_named_pools_are_the_only_ones(world: World) -> None:
    both = World(pool("a", "10.0.0.0/30", block_size=30), pool("b", "10.0.1.0/30"))
    both.blocks, both.frontiers = world.blocks, {**both.frontiers, **world.frontiers}
    assert both.assign(any_ipv4("b"), owner="db-0")[0].startswith("10.0.1.")
    assert both.assign(any_ipv4(), owner="db-0") == ["10.0.0.0"]


def test_a_reservation_of_nobody_goes_before_it() -> None:
    world = World(pool("a", "10.0.0.0/30", block_size=30), reserved=("10.0.0.0",))
    world.assign(fixed("10.0.0.0"), owner="db-0", sticky=DAY)
    world.release("10.0.0.0")
    assert world.assign(any_ipv4(), owner="db-0") == ["10.0.0.1"]


def test_when_its_time_is_over_it_is_free_for_everybody(world: World) -> None:
    world.assign(any_ipv4(), any_ipv4(), node="n1")
    world.tick += DAY
    with pytest.raises(errors.PoolExhausted):
        world.assign(any_ipv4(), node="n1")
    world.tick += 1
    assert world.assign(any_ipv4(), node="n1") == ["10.0.0.0"]


def test_it_is_kept_for_as_long_as_it_would_have_cooled_down() -> None:
    world = World(pool("a", "10.0.0.0/32", cooldown=30))
    world.assign(any_ipv4(), owner="db-0", sticky=5)
    world.release("10.0.0.0")
    world.tick += 30
    with pytest.raises(errors.PoolExhausted):
        world.assign(any_ipv4())
    world.tick += 1
    assert world.assign(any_ipv4()) == ["10.0.0.0"]


def test_an_owner_gets_its_addresses_in_order(world: World) -> None:
    world.assign(fixed("10.0.0.2"), owner="db-0", node="n1", sticky=DAY)
    world.release("10.0.0.2")
    given = world.assign(any_ipv4(), any_ipv4(), any_ipv4(), owner="db-0", node="n1")
    assert given == ["10.0.0.0", "10.0.0.2", "10.0.0.3"]


def test_a_block_with_a_sticky_address_is_neither_closed_nor_taken_over() -> None:
    strict = resources.VrfConfiguration(strict_affinity=True)
    world = World(pool("a", "10.0.0.0/31", block_size=31), configuration=strict)
    world.assign(any_ipv4(), owner="db-0", node="n1", sticky=DAY)
    world.release("10.0.0.0")
    world.now += datetime.timedelta(days=1)
    with pytest.raises(errors.PoolExhausted):
        world.assign(any_ipv4(), node="n2")


def test_a_draining_pool_keeps_nothing() -> None:
    draining = pool("a", "10.0.0.0/31", block_size=31, state=resources.PoolState.DRAINING)
    world = World(pool("a", "10.0.0.0/31", block_size=31))
    world.assign(any_ipv4(), owner="db-0", sticky=DAY)
    drained = World(draining)
    drained.blocks, drained.frontiers, drained.held = world.blocks, world.frontiers, world.held
    drained.release("10.0.0.0")
    assert drained.blocks == {}


def test_of_candidates_a_free_one_goes_before_one_that_is_kept(world: World) -> None:
    assert world.assign(fixed("10.0.0.0", "10.0.0.3"), owner="db-1") == ["10.0.0.3"]
