"""A pod's sandboxes: who takes over from whom, what goes along, and what goes back."""

import pytest

from harness.world import World, any_ipv4, any_ipv6, fixed, pool
from moorage_server.domain import addresses, errors, identity, model, succession

OLD = model.AttachmentKey(vrf="default", network="pods", container_id="old", interface="eth0")
NEW = model.AttachmentKey(vrf="default", network="pods", container_id="new", interface="eth0")
FACTS = model.Facts(workload=model.Workload(node="n1", namespace="s", pod="p", pod_uid="u1"))


def stamp(moment: int | None, boot: str = "b1") -> model.AttemptStamp | None:
    """A stamp, or none."""
    return None if moment is None else model.AttemptStamp(boot_id=boot, boot_time_ns=moment)


def request(*wants: model.AddressRequest, moment: int | None = None) -> model.AssignRequest:
    """An assign of the new sandbox."""
    return model.AssignRequest(
        attachment=NEW, addresses=wants or (any_ipv4(),), facts=FACTS, attempt=stamp(moment)
    )


def sibling(moment: int | None = None, boot: str = "b1") -> succession.Sibling:
    """The old sandbox, released."""
    return succession.Sibling(attachment=OLD, stamp=stamp(moment, boot))


@pytest.mark.parametrize(
    ("moment", "siblings"),
    [
        (20, [sibling(10)]),
        (20, [sibling(20)]),
        (20, [sibling(30, "another-boot")]),
        (20, [sibling(None)]),
        (None, [sibling(30)]),
        (20, [sibling(10), sibling(None), sibling(15)]),
        (20, []),
    ],
    ids=str,
)
def test_an_attempt_that_no_sandbox_is_known_to_be_newer_than_goes_on(
    moment: int | None, siblings: list[succession.Sibling]
) -> None:
    succession.check(request(moment=moment), None, tuple(siblings))


@pytest.mark.parametrize("siblings", [[sibling(30)], [sibling(10), sibling(30), sibling(15)]])
def test_an_attempt_of_an_older_sandbox_comes_too_late(
    siblings: list[succession.Sibling],
) -> None:
    with pytest.raises(errors.AttachmentSuperseded) as refusal:
        succession.check(request(moment=20), None, tuple(siblings))
    assert refusal.value.metadata == {
        "vrf": "default",
        "network": "pods",
        "container_id": "new",
        "interface": "eth0",
    }


def test_one_that_was_released_itself_comes_too_late_as_well() -> None:
    tombstone = identity.Record(stamp=stamp(5), allocations=())
    with pytest.raises(errors.AttachmentSuperseded):
        succession.check(request(moment=20), tombstone, (sibling(30),))


def test_the_sandbox_that_holds_the_addresses_is_not_asked_about_others() -> None:
    world = World(pool("a", "10.0.0.0/24"))
    record = identity.Record(stamp=stamp(20), allocations=holding(world, NEW, any_ipv4()))
    succession.check(request(moment=20), record, (sibling(30),))


def test_a_sandbox_of_an_unnamed_pod_is_nobodys() -> None:
    assert model.PodInterface.of(OLD, model.Workload(node="n1", pod="p")) is None


@pytest.mark.parametrize(
    "wants",
    [
        (any_ipv4(), any_ipv4()),
        (any_ipv4("a"), fixed("10.0.0.1", "10.0.0.9")),
        (fixed("10.0.0.0"), fixed("10.0.0.1")),
    ],
    ids=str,
)
def test_what_is_asked_for_stays_where_it_is(wants: tuple[model.AddressRequest, ...]) -> None:
    world = World(pool("a", "10.0.0.0/24"), pool("b", "10.0.1.0/24"))
    held = holding(world, OLD, any_ipv4(), any_ipv4())
    before = dict(world.blocks)
    assert world.succeed(request(*wants), of(held)) == ["10.0.0.0", "10.0.0.1"]
    assert world.blocks == before


@pytest.mark.parametrize("fields", [{"disabled": True}, {"allowed_uses": frozenset()}], ids=str)
def test_a_pool_that_gives_nothing_any_more_lets_it_pass_on(fields: dict[str, object]) -> None:
    world = World(pool("a", "10.0.0.0/32"))
    held = holding(world, OLD, any_ipv4())
    closed = World(pool("a", "10.0.0.0/32", **fields))
    closed.blocks = world.blocks
    assert closed.succeed(request(), of(held)) == ["10.0.0.0"]


@pytest.mark.parametrize(
    ("wants", "given"),
    [
        ((any_ipv4("b"),), ["10.0.1.0"]),
        ((fixed("10.0.0.7"),), ["10.0.0.7"]),
        ((any_ipv6(),), ["fd00::"]),
        # What went back is the last in the queue.
        ((any_ipv4(), any_ipv4()), ["10.0.0.1", "10.0.0.2"]),
    ],
    ids=str,
)
def test_what_is_not_asked_for_goes_back(
    wants: tuple[model.AddressRequest, ...], given: list[str]
) -> None:
    world = World(
        pool("a", "10.0.0.0/24", priority=1), pool("b", "10.0.1.0/24"), pool("c", "fd00::/64")
    )
    held = holding(world, OLD, any_ipv4())
    assert world.succeed(request(*wants), of(held)) == given
    assert not world.is_taken("10.0.0.0")


def test_a_pod_draws_from_what_it_gives_back() -> None:
    world = World(pool("a", "10.0.0.0/31"))
    held = holding(world, OLD, any_ipv4())
    given = world.succeed(request(any_ipv4(), any_ipv4()), of(held))
    assert sorted(given) == ["10.0.0.0", "10.0.0.1"]


def test_of_several_siblings_one_is_succeeded_and_the_others_give_back() -> None:
    world = World(pool("a", "10.0.0.0/24"))
    both = holding(world, OLD, any_ipv4(), any_ipv4())
    one = holding(world, OLD, any_ipv4())
    siblings = (of(both)[0], sibling(), of(one)[0])
    assert world.succeed(request(), siblings) == ["10.0.0.2"]
    assert not world.is_taken("10.0.0.0")
    assert not world.is_taken("10.0.0.1")
    assert world.is_taken("10.0.0.2")


def holding(
    world: World, key: model.AttachmentKey, *wants: model.AddressRequest
) -> tuple[model.Allocation, ...]:
    """What an attachment holds after an assign."""
    placed = [world.held[addresses.parse_address(each)] for each in world.assign(*wants, node="n1")]
    return tuple(placed)


def of(held: tuple[model.Allocation, ...]) -> tuple[succession.Sibling, ...]:
    """The old sandbox, which holds these."""
    return (succession.Sibling(attachment=OLD, stamp=stamp(10), allocations=held),)
