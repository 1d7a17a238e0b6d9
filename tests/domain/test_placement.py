"""Which addresses a request gets, decided without a database."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.world import World, any_ipv4, any_ipv6, fixed, pool
from moorage_server.domain import addresses, errors, model, resources
from moorage_server.domain.setting import Contended

NONE = resources.BlockAffinity.NONE
MANUAL = resources.AssignmentMode.MANUAL


def test_the_first_address_of_an_empty_pool_comes_first() -> None:
    world = World(pool("a", "10.0.0.0/24"))
    assert world.assign(any_ipv4()) == ["10.0.0.0"]
    assert world.assign(any_ipv4()) == ["10.0.0.1"]


def test_a_released_address_is_the_last_to_be_assigned_again() -> None:
    world = World(pool("a", "10.0.0.0/30", block_size=30))
    given_out = [world.assign(any_ipv4())[0] for _ in range(3)]
    world.release(given_out[0])
    assert world.assign(any_ipv4()) == ["10.0.0.3"]
    assert world.assign(any_ipv4()) == ["10.0.0.0"]


def test_a_node_draws_from_its_own_block() -> None:
    world = World(pool("a", "10.0.0.0/24"))
    assert world.assign(any_ipv4(), node="n1") == ["10.0.0.0"]
    assert world.assign(any_ipv4(), node="n2") == ["10.0.0.64"]
    assert world.assign(any_ipv4(), node="n1") == ["10.0.0.1"]


def test_a_node_borrows_when_no_block_is_left_to_open() -> None:
    world = World(pool("a", "10.0.0.0/26"))
    assert world.assign(any_ipv4(), node="n1") == ["10.0.0.0"]
    assert world.assign(any_ipv4(), node="n2") == ["10.0.0.1"]


def test_without_affinity_nodes_share_a_block() -> None:
    world = World(pool("a", "10.0.0.0/24", block_affinity=NONE))
    assert world.assign(any_ipv4(), node="n1") == ["10.0.0.0"]
    assert world.assign(any_ipv4(), node="n2") == ["10.0.0.1"]


def test_named_pools_are_tried_in_the_order_given() -> None:
    world = World(pool("a", "10.0.0.0/32"), pool("b", "10.0.1.0/32"), pool("c", "10.0.2.0/32"))
    assert world.assign(any_ipv4("c", "a")) == ["10.0.2.0"]
    assert world.assign(any_ipv4("c", "a")) == ["10.0.0.0"]
    with pytest.raises(errors.PoolExhausted):
        world.assign(any_ipv4("c", "a"))


def test_a_pool_may_be_named_by_its_exact_cidr() -> None:
    world = World(pool("a", "10.0.0.0/24"), pool("b", "10.0.1.0/24"))
    assert world.assign(any_ipv4("10.0.1.0/24")) == ["10.0.1.0"]
    with pytest.raises(errors.PoolNotFound):
        world.assign(any_ipv4("10.0.1.0/25"))


def test_higher_priority_comes_first_and_equal_ones_by_name() -> None:
    world = World(
        pool("a", "10.0.0.0/32"), pool("b", "10.0.1.0/32"), pool("c", "10.0.2.0/32", priority=5)
    )
    taken = [world.assign(any_ipv4(), node="n1")[0] for _ in range(3)]
    assert taken == ["10.0.2.0", "10.0.0.0", "10.0.1.0"]


def test_an_own_block_goes_before_the_order_of_equal_pools() -> None:
    world = World(pool("a", "10.0.0.0/24"), pool("b", "10.0.1.0/24"))
    assert world.assign(any_ipv4("b"), node="n1") == ["10.0.1.0"]
    assert world.assign(any_ipv4("a", "b"), node="n1") == ["10.0.1.1"]


def test_a_manual_pool_serves_only_who_names_it() -> None:
    world = World(pool("a", "10.0.0.0/24", assignment_mode=MANUAL))
    with pytest.raises(errors.NoEligiblePool, match="assignment mode is MANUAL"):
        world.assign(any_ipv4())
    assert world.assign(any_ipv4("a")) == ["10.0.0.0"]
    assert world.assign(fixed("10.0.0.9")) == ["10.0.0.9"]


def test_a_pool_that_selects_no_node_serves_only_who_names_it() -> None:
    world = World(pool("a", "10.0.0.0/24", node_selector="!all()"))
    with pytest.raises(errors.NoEligiblePool, match="node selector"):
        world.assign(any_ipv4(), node="n1")
    assert world.assign(any_ipv4("a"), node="n1") == ["10.0.0.0"]


def test_selectors_see_the_labels_of_node_and_namespace() -> None:
    world = World(
        pool("a", "10.0.0.0/24", node_selector="zone == 'east'"),
        pool("b", "10.0.1.0/24", namespace_selector="team == 'blue'"),
    )
    assert world.assign(any_ipv4(), node_labels={"zone": "east"}) == ["10.0.0.0"]
    assert world.assign(any_ipv4(), namespace_labels={"team": "blue"}) == ["10.0.1.0"]
    with pytest.raises(errors.NoEligiblePool):
        world.assign(any_ipv4())


def test_a_disabled_pool_is_refused_however_it_is_asked_for() -> None:
    world = World(pool("a", "10.0.0.0/24", disabled=True))
    with pytest.raises(errors.NoEligiblePool, match="disabled"):
        world.assign(any_ipv4())
    for want in (any_ipv4("a"), fixed("10.0.0.1")):
        with pytest.raises(errors.PoolDisabled):
            world.assign(want)


def test_naming_a_pool_does_not_pass_over_its_uses() -> None:
    world = World(pool("a", "10.0.0.0/24", allowed_uses=frozenset({model.Use.TUNNEL})))
    for want in (any_ipv4("a"), fixed("10.0.0.1")):
        with pytest.raises(errors.PoolUseNotAllowed):
            world.assign(want)
    assert world.assign(any_ipv4("a"), use=model.Use.TUNNEL) == ["10.0.0.0"]


def test_a_reserved_address_is_skipped_but_given_to_who_asks_for_it() -> None:
    world = World(pool("a", "10.0.0.0/24"), reserved=("10.0.0.0/30", "10.0.0.5"))
    assert world.assign(any_ipv4()) == ["10.0.0.4"]
    assert world.assign(any_ipv4()) == ["10.0.0.6"]
    assert world.assign(fixed("10.0.0.1")) == ["10.0.0.1"]


def test_reserved_addresses_keep_their_place_in_the_queue() -> None:
    reserved = World(pool("a", "10.0.0.0/30", block_size=30), reserved=("10.0.0.0",))
    assert reserved.assign(any_ipv4()) == ["10.0.0.1"]
    unreserved = World(pool("a", "10.0.0.0/30", block_size=30))
    unreserved.blocks, unreserved.frontiers = reserved.blocks, reserved.frontiers
    assert unreserved.assign(any_ipv4()) == ["10.0.0.0"]


def test_a_wholly_reserved_block_is_never_opened() -> None:
    world = World(pool("a", "10.0.0.0/8"), reserved=("10.0.0.0/9", "10.128.0.0/26"))
    assert world.assign(any_ipv4()) == ["10.128.0.64"]
    assert list(map(str, world.blocks)) == ["10.128.0.64/26"]


def test_gateway_excluded_ranges_and_network_addresses_are_never_assigned() -> None:
    world = World(
        pool(
            "a",
            "10.0.0.0/28",
            gateway=addresses.parse_address("10.0.0.1"),
            excluded=(addresses.Span.parse("10.0.0.2-10.0.0.4"),),
            exclude_network_addresses=True,
        )
    )
    assert world.assign(any_ipv4()) == ["10.0.0.5"]
    for address in ("10.0.0.0", "10.0.0.1", "10.0.0.3", "10.0.0.15"):
        with pytest.raises(errors.AddressExcluded):
            world.assign(fixed(address))


def test_any_free_candidate_will_do() -> None:
    world = World(pool("a", "10.0.0.0/24"))
    assert world.assign(fixed("10.0.0.5", "10.0.0.6")) == ["10.0.0.5"]
    assert world.assign(fixed("10.0.0.5", "10.0.0.6")) == ["10.0.0.6"]
    with pytest.raises(errors.AddressInUse) as refusal:
        world.assign(fixed("10.0.0.5", "10.0.0.6"))
    assert refusal.value.metadata == {"vrf": "default", "address": "10.0.0.5", "pool": "a"}


def test_one_wrong_candidate_fails_all() -> None:
    world = World(pool("a", "10.0.0.0/24"))
    with pytest.raises(errors.AddressNotInPool):
        world.assign(fixed("10.0.0.5", "10.9.9.9"))


def test_a_fixed_address_opens_its_block_for_the_node_and_no_other() -> None:
    world = World(pool("a", "10.0.0.0/16"))
    assert world.assign(fixed("10.0.200.77"), node="n1") == ["10.0.200.77"]
    assert [(str(each.cidr), each.node) for each in world.blocks.values()] == [
        ("10.0.200.64/26", "n1")
    ]
    assert world.assign(any_ipv4(), node="n1") == ["10.0.200.64"]


def test_both_families_are_placed_in_the_order_asked() -> None:
    world = World(pool("four", "10.0.0.0/24"), pool("six", "fd00::/64"))
    assert world.assign(any_ipv6(), any_ipv4()) == ["fd00::", "10.0.0.0"]


def test_an_exhausted_pool_says_how_full_it_is() -> None:
    world = World(pool("a", "10.0.0.0/30", block_size=30), reserved=("10.0.0.3",))
    for _ in range(3):
        world.assign(any_ipv4())
    with pytest.raises(errors.PoolExhausted) as refusal:
        world.assign(any_ipv4())
    assert refusal.value.metadata == {
        "vrf": "default",
        "family": "IPV4",
        "pools": "a",
        "size": "4",
        "assigned": "3",
        "reserved": "1",
        "kept": "0",
    }


def test_a_locked_block_is_never_mistaken_for_exhaustion() -> None:
    world = World(pool("a", "10.0.0.0/26", block_affinity=NONE))
    world.assign(any_ipv4())
    world.locked = set(world.blocks)
    with pytest.raises(Contended):
        world.assign(any_ipv4())


def test_a_node_whose_own_block_is_locked_opens_no_second_one() -> None:
    world = World(pool("a", "10.0.0.0/24"))
    world.assign(any_ipv4(), node="n1")
    world.locked = set(world.blocks)
    with pytest.raises(Contended):
        world.assign(any_ipv4(), node="n1")


@settings(max_examples=150, deadline=None)
@given(
    moves=st.lists(st.integers(min_value=-8, max_value=3), max_size=60),
    reserved=st.sets(st.integers(min_value=0, max_value=15), max_size=6),
)
def test_no_address_is_given_twice_and_none_is_lost(moves: list[int], reserved: set[int]) -> None:
    hidden = tuple(f"10.0.0.{each}" for each in sorted(reserved))
    world = World(pool("a", "10.0.0.0/28", block_size=30), reserved=hidden)
    held: list[str] = []
    for move in moves:
        if move >= 0:
            try:
                held += world.assign(any_ipv4(), node=f"n{move}")
            except errors.PoolExhausted:
                assert len(held) == 16 - len(reserved)
        elif held:
            world.release(held.pop(move % len(held)))
        assert len(set(held)) == len(held)
        assert not set(held) & set(hidden)
