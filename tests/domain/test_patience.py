"""Whom a request waits for: a predecessor of the same owner, and nobody else."""

import dataclasses

import pytest

from harness.world import World, any_ipv4, any_ipv6, fixed, pool
from moorage_server.domain import errors, model, resources
from moorage_server.domain.patience import Awaited
from moorage_server.domain.setting import Patience

NEW = model.AttachmentKey(vrf="default", network="n", container_id="new", interface="eth0")
PATIENT = Patience(attachment=NEW)
STICKY = Patience(attachment=NEW, sticky_owner="db-0")


def world(**fields: object) -> World:
    """One small pool of each family."""
    return World(pool("a", "10.0.0.0/30", **fields), pool("b", "fd00::/126", **fields))


def awaited(world: World, *wants: model.AddressRequest, **asking: object) -> list[str]:
    """What a request waits for."""
    with pytest.raises(Awaited) as found:
        world.assign(*wants, **asking)  # type: ignore[arg-type]  # checked by the call
    assert found.value.refusal.reason in ("ADDRESS_IN_USE", "ADDRESS_COOLING")
    return sorted(map(str, found.value.awaited))


@pytest.mark.parametrize("who", [{"owner": "db-0"}, {"pod": "db-0"}], ids=str)
def test_a_candidate_of_the_same_owner_is_waited_for(who: dict[str, str]) -> None:
    ground = world()
    ground.assign(fixed("10.0.0.1"), **who)  # type: ignore[arg-type]  # checked by the call
    assert awaited(ground, fixed("10.0.0.1"), **who, patience=PATIENT) == ["10.0.0.1"]
    ground.release("10.0.0.1")
    assert ground.assign(fixed("10.0.0.1"), patience=PATIENT, **who) == ["10.0.0.1"]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("holder", "asker"),
    [
        ({"owner": "db-1"}, {"owner": "db-0"}),
        ({"pod": "db-1"}, {"pod": "db-0"}),
        ({"pod": "db-0"}, {"pod": "db-0", "owner": "db-0"}),
        ({}, {}),
        ({"owner": "db-0"}, {}),
    ],
    ids=str,
)
def test_a_candidate_of_another_owner_is_not(holder: dict[str, str], asker: dict[str, str]) -> None:
    ground = world()
    ground.assign(fixed("10.0.0.1"), **holder)  # type: ignore[arg-type]  # checked by the call
    with pytest.raises(errors.AddressInUse):
        ground.assign(fixed("10.0.0.1"), **asker, patience=PATIENT)  # type: ignore[arg-type]


def test_who_has_no_patience_is_refused_at_once() -> None:
    ground = world()
    ground.assign(fixed("10.0.0.1"), owner="db-0")
    with pytest.raises(errors.AddressInUse):
        ground.assign(fixed("10.0.0.1"), owner="db-0")


def test_of_several_candidates_only_a_predecessors_is_waited_for() -> None:
    ground = world()
    ground.assign(fixed("10.0.0.1"), owner="db-0")
    ground.assign(fixed("10.0.0.2"), owner="db-1")
    wanted = fixed("10.0.0.2", "10.0.0.1")
    assert awaited(ground, wanted, owner="db-0", patience=PATIENT) == ["10.0.0.1"]


def test_a_candidate_that_is_free_needs_no_waiting() -> None:
    ground = world()
    ground.assign(fixed("10.0.0.1"), owner="db-0")
    wanted = fixed("10.0.0.1", "10.0.0.2")
    assert ground.assign(wanted, owner="db-0", patience=PATIENT) == ["10.0.0.2"]


def test_a_sticky_owner_waits_for_what_it_holds_of_the_family() -> None:
    ground = world()
    ground.assign(any_ipv4(), any_ipv6(), owner="db-0")
    asking = {"owner": "db-0", "patience": STICKY}
    assert awaited(ground, any_ipv4(), **asking) == ["10.0.0.0"]
    assert awaited(ground, any_ipv6(), **asking) == ["fd00::"]
    ground.release("10.0.0.0")
    assert ground.assign(any_ipv4(), owner="db-0", patience=STICKY) == ["10.0.0.0"]
    assert awaited(ground, any_ipv6(), **asking) == ["fd00::"]


def test_a_predecessors_address_need_not_cool_for_its_owner() -> None:
    ground = World(pool("a", "10.0.0.0/30"), configuration=resources.VrfConfiguration(cooldown=30))
    ground.assign(fixed("10.0.0.1"), owner="db-0")
    assert awaited(ground, fixed("10.0.0.1"), owner="db-0", patience=PATIENT) == ["10.0.0.1"]
    ground.release("10.0.0.1")
    assert ground.assign(fixed("10.0.0.1"), owner="db-0", patience=PATIENT) == ["10.0.0.1"]


def test_an_owner_that_is_not_sticky_does_not() -> None:
    ground = world()
    ground.assign(any_ipv4(), owner="db-0")
    assert ground.assign(any_ipv4(), owner="db-0", patience=PATIENT) == ["10.0.0.1"]


def test_a_sticky_owner_that_names_an_address_does_not_wait_for_another() -> None:
    ground = world()
    ground.assign(any_ipv4(), owner="db-0")
    assert ground.assign(fixed("10.0.0.3"), owner="db-0", patience=STICKY) == ["10.0.0.3"]


def test_a_refusal_that_follows_a_wait_in_vain_names_the_address() -> None:
    ground = world()
    ground.assign(any_ipv4(), owner="db-0")
    with pytest.raises(Awaited) as found:
        ground.assign(any_ipv4(), owner="db-0", patience=STICKY)
    refusal = found.value.refusal
    assert isinstance(refusal, errors.AddressInUse)
    assert refusal.metadata == {"vrf": "default", "address": "10.0.0.0", "pool": "a"}


def test_patience_is_what_a_request_says() -> None:
    facts = model.Facts(owner_key="db-0", sticky=60)
    request = model.AssignRequest(attachment=NEW, addresses=(), facts=facts)
    assert Patience.of(request) is None
    assert Patience.of(dataclasses.replace(request, wait=0.5)) == STICKY
    plain = dataclasses.replace(request, wait=0.5, facts=model.Facts(owner_key="db-0"))
    assert Patience.of(plain) == PATIENT
