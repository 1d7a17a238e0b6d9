"""Released addresses are kept from other workloads for a while."""

import datetime

import pytest

from harness.world import World, any_ipv4, fixed, pool
from moorage_server.domain import errors, resources

COOL = resources.VrfConfiguration(cooldown=30)


def after(world: World, ticks: int) -> None:
    """So many seconds pass, at the least."""
    world.tick += ticks
    world.now += datetime.timedelta(seconds=ticks)


@pytest.fixture
def world() -> World:
    """A block of two, one address held, the other released by "db-0"."""
    made = World(pool("a", "10.0.0.0/31", block_size=31), configuration=COOL)
    made.assign(any_ipv4(), owner="db-0", node="n1")
    made.assign(any_ipv4(), owner="web", node="n1")
    made.release("10.0.0.0")
    return made


def test_a_cooling_address_is_given_to_nobody(world: World) -> None:
    after(world, 30)
    with pytest.raises(errors.PoolCooling) as refusal:
        world.assign(any_ipv4(), node="n1")
    assert refusal.value.metadata["ready_time"] == "2030-01-01T00:00:31Z"
    assert refusal.value.metadata["cooling"] == "1"


def test_it_is_free_when_the_time_has_passed(world: World) -> None:
    after(world, 31)
    assert world.assign(any_ipv4(), node="n1") == ["10.0.0.0"]


@pytest.mark.parametrize("days", [-1, 1])
def test_a_clock_that_is_set_changes_nothing(world: World, days: int) -> None:
    world.now += datetime.timedelta(days=days)
    after(world, 30)
    with pytest.raises(errors.PoolCooling):
        world.assign(any_ipv4(), node="n1")
    after(world, 1)
    assert world.assign(any_ipv4(), node="n1") == ["10.0.0.0"]


@pytest.mark.parametrize("node", ["n1", "n2", ""])
def test_waiting_blocks_count_wherever_they_are(world: World, node: str) -> None:
    with pytest.raises(errors.PoolCooling):
        world.assign(any_ipv4(), node=node)


def test_its_last_owner_may_have_it_back_at_once(world: World) -> None:
    assert world.assign(fixed("10.0.0.0"), owner="db-0") == ["10.0.0.0"]


def test_its_last_owner_gets_it_back_unasked_where_nothing_else_is_left(world: World) -> None:
    assert world.assign(any_ipv4(), owner="db-0", node="n2") == ["10.0.0.0"]


def test_with_strict_affinity_no_owner_gets_back_what_is_in_the_block_of_another_node(
    world: World,
) -> None:
    world.catalog.configuration = resources.VrfConfiguration(strict_affinity=True, cooldown=30)
    with pytest.raises(errors.PoolExhausted):
        world.assign(any_ipv4(), owner="db-0", node="n2")


def test_a_block_is_as_good_as_empty_once_all_of_it_has_cooled_down(world: World) -> None:
    world.catalog.configuration = resources.VrfConfiguration(strict_affinity=True, cooldown=30)
    world.release("10.0.0.1")
    after(world, 60)
    assert world.assign(any_ipv4(), node="n2") == ["10.0.0.0"]


def test_another_owner_may_not(world: World) -> None:
    with pytest.raises(errors.AddressCooling) as refusal:
        world.assign(fixed("10.0.0.0"), owner="db-1")
    assert refusal.value.metadata["ready_time"] == "2030-01-01T00:00:31Z"


def test_who_cannot_be_told_from_others_waits_like_them() -> None:
    world = World(pool("a", "10.0.0.0/31", block_size=31), configuration=COOL)
    world.assign(fixed("10.0.0.0"))
    world.release("10.0.0.0")
    with pytest.raises(errors.AddressCooling):
        world.assign(fixed("10.0.0.0"))


def test_a_cooling_candidate_does_not_keep_from_a_free_one(world: World) -> None:
    world.release("10.0.0.1")
    after(world, 10)
    assert world.assign(fixed("10.0.0.0", "10.0.0.1"), owner="web") == ["10.0.0.1"]


def test_what_becomes_ready_joins_the_queue_in_order() -> None:
    world = World(pool("a", "10.0.0.0/29", block_size=29), configuration=COOL)
    given = [world.assign(any_ipv4(), node="n1")[0] for _ in range(3)]
    for address in reversed(given):
        world.release(address)
    after(world, 31)
    drawn = [world.assign(any_ipv4(), node="n1")[0] for _ in range(8)]
    assert drawn[5:] == given


def test_a_block_with_cooling_addresses_is_neither_closed_nor_taken_over() -> None:
    world = World(pool("a", "10.0.0.0/31", block_size=31), configuration=COOL)
    world.assign(any_ipv4())
    world.release("10.0.0.0")
    assert len(world.blocks) == 1


def yielding(name: str = "a", cidr: str = "10.0.0.0/31") -> resources.Pool:
    return pool(name, cidr, cooldown_policy=resources.CooldownPolicy.YIELD)


def test_a_pool_has_a_cool_down_of_its_own() -> None:
    world = World(
        pool("a", "10.0.0.0/32", cooldown=5), pool("b", "10.0.1.0/32"), configuration=COOL
    )
    world.assign(any_ipv4("a"))
    world.assign(any_ipv4("b"))
    world.release("10.0.0.0")
    world.release("10.0.1.0")
    after(world, 5)
    with pytest.raises(errors.PoolCooling):
        world.assign(any_ipv4())
    after(world, 1)
    assert world.assign(any_ipv4()) == ["10.0.0.0"]
    with pytest.raises(errors.PoolCooling):
        world.assign(any_ipv4())


def test_a_pool_of_which_nothing_cools_in_a_vrf_that_cools() -> None:
    world = World(pool("a", "10.0.0.0/32", cooldown=0), configuration=COOL)
    world.assign(any_ipv4())
    world.release("10.0.0.0")
    assert world.assign(any_ipv4()) == ["10.0.0.0"]


def test_a_pool_that_yields_gives_what_was_released_longest_ago() -> None:
    world = World(yielding("a", "10.0.0.0/31"), yielding("b", "10.0.1.0/31"), configuration=COOL)
    given = [world.assign(any_ipv4(name), node="n1")[0] for name in "abab"]
    for address in ("10.0.1.1", "10.0.0.0", "10.0.1.0", "10.0.0.1"):
        world.release(address)
        after(world, 2)
    assert sorted(given) == ["10.0.0.0", "10.0.0.1", "10.0.1.0", "10.0.1.1"]
    drawn = [world.assign(any_ipv4(), node="n2")[0] for _ in range(4)]
    assert drawn == ["10.0.1.1", "10.0.0.0", "10.0.1.0", "10.0.0.1"]
    assert world.yielded == drawn
    with pytest.raises(errors.PoolExhausted):
        world.assign(any_ipv4(), node="n2")


def test_what_is_free_goes_before_what_is_yielded() -> None:
    world = World(
        yielding("a", "10.0.0.0/32"), pool("b", "10.0.1.0/32", priority=-1), configuration=COOL
    )
    world.assign(any_ipv4("a"))
    world.release("10.0.0.0")
    assert world.assign(any_ipv4()) == ["10.0.1.0"]
    assert world.assign(any_ipv4()) == ["10.0.0.0"]
    assert world.yielded == ["10.0.0.0"]


def test_a_pool_that_refuses_yields_nothing_beside_one_that_yields() -> None:
    world = World(yielding("a", "10.0.0.0/32"), pool("b", "10.0.1.0/32"), configuration=COOL)
    world.assign(any_ipv4("a"))
    world.assign(any_ipv4("b"))
    world.release("10.0.1.0")
    with pytest.raises(errors.PoolCooling):
        world.assign(any_ipv4())


def test_the_owner_gets_its_own_back_before_that_of_others_is_yielded() -> None:
    world = World(yielding(), configuration=COOL)
    world.assign(any_ipv4(), owner="x")
    world.assign(any_ipv4(), owner="y")
    world.release("10.0.0.0")
    world.release("10.0.0.1")
    assert world.assign(any_ipv4(), owner="y") == ["10.0.0.1"]
    assert world.yielded == []


def test_with_strict_affinity_nothing_is_yielded_from_blocks_of_other_nodes() -> None:
    strict = resources.VrfConfiguration(strict_affinity=True, cooldown=30)
    world = World(yielding(), configuration=strict)
    world.assign(any_ipv4(), any_ipv4(), node="n1")
    world.release("10.0.0.0")
    with pytest.raises(errors.PoolExhausted):
        world.assign(any_ipv4(), node="n2")
    assert world.assign(any_ipv4(), node="n1") == ["10.0.0.0"]


def test_a_reserved_address_is_not_yielded() -> None:
    world = World(yielding(), reserved=("10.0.0.0",), configuration=COOL)
    world.assign(fixed("10.0.0.0"), fixed("10.0.0.1"))
    world.release("10.0.0.0")
    after(world, 1)
    world.release("10.0.0.1")
    assert world.assign(any_ipv4()) == ["10.0.0.1"]
    assert world.yielded == ["10.0.0.1"]


def test_of_candidates_the_one_that_is_ready_first_is_yielded_where_none_is_free() -> None:
    world = World(yielding(), configuration=COOL)
    world.assign(fixed("10.0.0.0"), fixed("10.0.0.1"))
    world.release("10.0.0.1")
    after(world, 1)
    world.release("10.0.0.0")
    assert world.assign(fixed("10.0.0.0", "10.0.0.1")) == ["10.0.0.1"]
    assert world.yielded == ["10.0.0.1"]
