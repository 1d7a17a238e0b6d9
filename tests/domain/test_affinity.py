"""Blocks that belong to nodes: what a node may draw from, open and take over."""

import dataclasses
import datetime

import pytest

from harness.world import World, any_ipv4, any_ipv6, fixed, pool
from moorage_server.domain import errors, resources
from moorage_server.domain.addresses import parse_network
from moorage_server.domain.setting import Contended

NONE = resources.BlockAffinity.NONE
STRICT = resources.VrfConfiguration(strict_affinity=True)
MINUTE = datetime.timedelta(minutes=1)


def limited(blocks: int) -> resources.VrfConfiguration:
    return resources.VrfConfiguration(strict_affinity=True, max_blocks_per_node=blocks)


def test_with_strict_affinity_nothing_is_borrowed() -> None:
    world = World(pool("a", "10.0.0.0/26"), configuration=STRICT)
    world.assign(any_ipv4(), node="n1")
    with pytest.raises(errors.PoolExhausted, match="strict affinity forbids"):
        world.assign(any_ipv4(), node="n2")
    assert world.assign(any_ipv4(), node="n1") == ["10.0.0.1"]


def test_strict_affinity_says_nothing_about_pools_without_affinity() -> None:
    world = World(pool("a", "10.0.0.0/26", block_affinity=NONE), configuration=STRICT)
    assert world.assign(any_ipv4(), node="n1") == ["10.0.0.0"]
    assert world.assign(any_ipv4(), node="n2") == ["10.0.0.1"]


def test_a_fixed_address_in_the_block_of_another_node_needs_loose_affinity() -> None:
    world = World(pool("a", "10.0.0.0/26"))
    world.assign(any_ipv4(), node="n1")
    assert world.assign(fixed("10.0.0.7"), node="n2") == ["10.0.0.7"]
    world = World(pool("a", "10.0.0.0/26"), configuration=STRICT)
    world.assign(any_ipv4(), node="n1")
    # Whose block it is comes before whether it is free.
    for address in ("10.0.0.0", "10.0.0.7"):
        with pytest.raises(errors.BlockAffinityMismatch) as refusal:
            world.assign(fixed(address), node="n2")
        assert refusal.value.metadata["owner"] == "n1"


def test_a_node_opens_no_more_blocks_than_its_limit_and_then_borrows_none() -> None:
    world = World(pool("a", "10.0.0.0/30", block_size=32), configuration=limited(2))
    assert [world.assign(any_ipv4(), node="n1") for _ in range(2)] == [["10.0.0.0"], ["10.0.0.1"]]
    with pytest.raises(errors.BlockLimitReached) as refusal:
        world.assign(any_ipv4(), node="n1")
    assert refusal.value.metadata["limit"] == "2"
    assert world.assign(any_ipv4(), node="n2") == ["10.0.0.2"]


def test_without_a_limit_of_its_own_a_vrf_allows_twenty_blocks_and_no_borrowing_after_that() -> (
    None
):
    world = World(pool("a", "10.0.0.0/27", block_size=32))
    for _ in range(20):
        world.assign(any_ipv4(), node="n1")
    with pytest.raises(errors.BlockLimitReached) as refusal:
        world.assign(any_ipv4(), node="n1")
    assert refusal.value.metadata["limit"] == "20"


def test_the_limit_counts_the_blocks_of_the_pools_that_serve_and_of_one_family() -> None:
    world = World(
        pool("a", "10.0.0.0/30", block_size=32),
        pool("b", "10.0.1.0/30", block_size=32),
        pool("c", "fd00::/126", block_size=128),
        configuration=limited(1),
    )
    assert world.assign(any_ipv4("a"), node="n1") == ["10.0.0.0"]
    assert world.assign(any_ipv4("b"), node="n1") == ["10.0.1.0"]
    assert world.assign(any_ipv6(), node="n1") == ["fd00::"]
    with pytest.raises(errors.BlockLimitReached):
        world.assign(any_ipv4(), node="n1")


def test_blocks_that_one_request_opens_count_at_once() -> None:
    world = World(pool("a", "10.0.0.0/30", block_size=32), configuration=limited(2))
    with pytest.raises(errors.BlockLimitReached):
        world.assign(any_ipv4(), any_ipv4(), any_ipv4(), node="n1")
    assert not world.held


def test_the_limit_binds_neither_fixed_addresses_nor_requests_without_a_node() -> None:
    world = World(pool("a", "10.0.0.0/30", block_size=32), configuration=limited(1))
    world.assign(any_ipv4(), node="n1")
    assert world.assign(fixed("10.0.0.2"), node="n1") == ["10.0.0.2"]
    assert world.assign(any_ipv4(), any_ipv4()) == ["10.0.0.1", "10.0.0.3"]


def test_without_automatic_blocks_a_node_draws_from_those_it_owns() -> None:
    closed = resources.VrfConfiguration(strict_affinity=True, auto_allocate_blocks=False)
    world = World(pool("a", "10.0.0.0/29", block_size=30), configuration=closed)
    with pytest.raises(errors.BlockAllocationDisabled):
        world.assign(any_ipv4(), node="n1")
    assert world.assign(fixed("10.0.0.1"), node="n1") == ["10.0.0.1"]
    assert world.assign(any_ipv4(), node="n1") == ["10.0.0.0"]


def test_an_empty_block_of_another_node_is_taken_over_after_a_minute() -> None:
    world = World(pool("a", "10.0.0.0/26"), configuration=STRICT)
    world.assign(any_ipv4(), node="n1")
    world.release("10.0.0.0")
    with pytest.raises(errors.PoolExhausted):
        world.assign(any_ipv4(), node="n2")
    world.now += MINUTE
    # The queue of the block is kept: what was released last comes last.
    assert world.assign(any_ipv4(), node="n2") == ["10.0.0.1"]
    assert world.blocks[parse_network("10.0.0.0/26")].node == "n2"


def test_a_new_block_comes_before_an_idle_one_and_that_before_a_borrowed_one() -> None:
    world = World(pool("a", "10.0.0.0/30", block_size=31))
    world.assign(any_ipv4(), node="n1")
    world.release("10.0.0.0")
    world.now += MINUTE
    assert world.assign(any_ipv4(), node="n2") == ["10.0.0.2"]
    assert world.assign(any_ipv4(), node="n3") == ["10.0.0.1"]
    assert world.assign(any_ipv4(), node="n4") == ["10.0.0.0"]


def test_a_locked_idle_block_is_not_mistaken_for_none() -> None:
    world = World(pool("a", "10.0.0.0/26"), configuration=STRICT)
    world.assign(any_ipv4(), node="n1")
    world.release("10.0.0.0")
    world.now += MINUTE
    world.locked = set(world.blocks)
    with pytest.raises(Contended):
        world.assign(any_ipv4(), node="n2")


def test_an_empty_block_stays_with_its_node() -> None:
    world = World(pool("a", "10.0.0.0/24"))
    world.assign(any_ipv4(), node="n1")
    world.release("10.0.0.0")
    assert [block.node for block in world.blocks.values()] == ["n1"]


def test_an_empty_block_of_no_node_is_closed_and_may_be_opened_again() -> None:
    world = World(pool("a", "10.0.0.0/24"))
    world.assign(any_ipv4(), any_ipv4())
    world.release("10.0.0.0")
    world.release("10.0.0.1")
    assert not world.blocks
    assert world.frontiers[1].unused == ((0, 4),)
    assert world.assign(any_ipv4(), node="n1") == ["10.0.0.0"]


def test_without_affinity_an_empty_block_keeps_its_queue() -> None:
    world = World(pool("a", "10.0.0.0/24", block_affinity=NONE))
    world.assign(any_ipv4())
    world.release("10.0.0.0")
    assert world.assign(any_ipv4()) == ["10.0.0.1"]


@pytest.mark.parametrize("affinity", list(resources.BlockAffinity))
def test_the_last_address_closes_a_block_of_a_draining_pool(
    affinity: resources.BlockAffinity,
) -> None:
    active = pool("a", "10.0.0.0/24", block_affinity=affinity)
    world = World(active)
    world.assign(any_ipv4(), node="n1")
    draining = dataclasses.replace(active, state=resources.PoolState.DRAINING)
    world.catalog = World(draining).catalog
    world.release("10.0.0.0")
    assert not world.blocks


def unselect(world: World) -> None:
    """The node loses the label that the pool asks for."""
    world.nodes = {"n1": {}}


@pytest.fixture
def racked() -> World:
    """A node with one address in a block of a pool that selects it by a label."""
    world = World(
        pool("a", "10.0.0.0/24", node_selector='rack == "1"'),
        pool("b", "10.0.1.0/24", node_selector="!has(rack)"),
        nodes={"n1": {"rack": "1"}},
    )
    assert world.assign(any_ipv4(), node="n1") == ["10.0.0.0"]
    return world


def test_the_last_address_released_closes_a_block_whose_pool_no_longer_selects_its_node(
    racked: World,
) -> None:
    unselect(racked)
    racked.release("10.0.0.0")
    assert not racked.blocks


def test_an_empty_block_is_closed_when_its_pool_no_longer_selects_its_node(racked: World) -> None:
    racked.release("10.0.0.0")
    unselect(racked)
    racked.sweep("n1")
    assert not racked.blocks


def test_a_used_block_is_not_closed_and_an_empty_one_of_a_selecting_pool_is_not(
    racked: World,
) -> None:
    racked.sweep("n1")
    unselect(racked)
    racked.sweep("n1")
    assert [block.node for block in racked.blocks.values()] == ["n1"]
    assert racked.assign(any_ipv4(), node="n1") == ["10.0.1.0"]


def test_blocks_closed_next_to_each_other_join_at_the_frontier() -> None:
    world = World(pool("a", "10.0.0.0/24"))
    for address in ("10.0.0.0", "10.0.0.64", "10.0.0.128"):
        world.assign(fixed(address))
    for address in ("10.0.0.0", "10.0.0.128", "10.0.0.64"):
        world.release(address)
    assert world.frontiers[1].unused == ((0, 4),)


def test_a_configuration_takes_effect_on_the_next_request() -> None:
    world = World(pool("a", "10.0.0.0/26"))
    world.assign(any_ipv4(), node="n1")
    assert world.assign(any_ipv4(), node="n2") == ["10.0.0.1"]
    world.catalog.configuration = dataclasses.replace(STRICT)
    with pytest.raises(errors.PoolExhausted):
        world.assign(any_ipv4(), node="n2")
