"""The same attachment again: the rules of attempts, tombstones and generations."""

import dataclasses
import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.world import World, any_ipv4, fixed, pool
from moorage_server.domain import addresses, errors, identity, model

KEY = model.AttachmentKey(vrf="default", network="pods", container_id="c1", interface="eth0")
POOLS = World(pool("a", "10.0.0.0/24"), pool("b", "10.0.1.0/24")).catalog
HELD = model.Allocation(
    attachment=KEY,
    address=addresses.parse_address("10.0.0.7"),
    generation=5,
    block=addresses.parse_network("10.0.0.0/26"),
    assign_time=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
    facts=model.Facts(),
)


def stamp(moment: int | None, boot: str = "b1") -> model.AttemptStamp | None:
    """A stamp, or none."""
    return None if moment is None else model.AttemptStamp(boot_id=boot, boot_time_ns=moment)


def record(moment: int | None, *held: model.Allocation) -> identity.Record:
    """What is remembered: a tombstone where nothing is held."""
    return identity.Record(stamp=stamp(moment), allocations=held)


def assign(*wants: model.AddressRequest, moment: int | None = None) -> model.AssignRequest:
    """A request of KEY."""
    return model.AssignRequest(attachment=KEY, addresses=wants, attempt=stamp(moment))


def release(moment: int | None, *generations: int) -> model.ReleaseRequest:
    """A release of KEY."""
    return model.ReleaseRequest(
        attachment=KEY, attempt=stamp(moment), generations=frozenset(generations)
    )


def test_an_unknown_attachment_is_to_be_placed() -> None:
    assert identity.replay(assign(any_ipv4()), None, POOLS) == ()


@pytest.mark.parametrize(
    "want",
    [
        any_ipv4(),
        any_ipv4("b", "a"),
        any_ipv4("10.0.0.0/24"),
        any_ipv4("deleted-since", "a"),
        fixed("10.0.0.7"),
    ],
    ids=str,
)
def test_a_compatible_repeat_gets_what_is_held(want: model.AddressRequest) -> None:
    assert identity.replay(assign(want), record(1, HELD), POOLS) == (HELD,)


@pytest.mark.parametrize(
    "wants",
    [(any_ipv4("b"),), (fixed("10.0.0.8"),), (fixed("fd00::1"),), (any_ipv4(), any_ipv4())],
    ids=str,
)
def test_a_contradiction_is_refused(wants: tuple[model.AddressRequest, ...]) -> None:
    with pytest.raises(errors.AttachmentChanged, match=r"already holds 10\.0\.0\.7"):
        identity.replay(assign(*wants), record(1, HELD), POOLS)


@pytest.mark.parametrize(
    ("tombstone", "attempt", "refused"),
    [(10, 9, True), (10, 10, True), (10, 11, False), (None, 1, False), (10, None, False)],
)
def test_a_tombstone_fences_attempts_that_are_not_newer(
    tombstone: int | None, attempt: int | None, refused: bool
) -> None:
    request = assign(any_ipv4(), moment=attempt)
    if refused:
        with pytest.raises(errors.AttachmentReleased):
            identity.replay(request, record(tombstone), POOLS)
    else:
        assert identity.replay(request, record(tombstone), POOLS) == ()


def test_another_boot_is_newer() -> None:
    request = dataclasses.replace(assign(any_ipv4()), attempt=stamp(1, boot="b2"))
    assert identity.replay(request, record(10), POOLS) == ()


@pytest.mark.parametrize(
    ("assigned", "released", "freed"),
    [(10, 9, False), (10, 10, True), (10, 11, True), (None, 1, True), (10, None, True)],
)
def test_a_release_that_began_earlier_frees_nothing(
    assigned: int | None, released: int | None, freed: bool
) -> None:
    found = identity.releasable(release(released), record(assigned, HELD))
    assert found == ((HELD,) if freed else ())


def test_a_release_by_generation_frees_only_that() -> None:
    other = dataclasses.replace(HELD, generation=6)
    assert identity.releasable(release(None, 6), record(1, HELD, other)) == (other,)
    assert identity.releasable(release(None, 7), record(1, HELD, other)) == ()


@pytest.mark.parametrize(
    ("known", "moment", "leaves"),
    [(None, 5, True), (None, None, False), (10, 11, True), (10, 9, False), (10, None, True)],
)
def test_a_release_is_remembered_where_it_can_fence_something(
    known: int | None, moment: int | None, leaves: bool
) -> None:
    remembered = None if known is None else record(known, HELD)
    request = release(moment)
    released = identity.releasable(request, remembered)
    assert identity.leaves_tombstone(request, remembered, released) is leaves


def test_a_release_that_leaves_something_held_leaves_no_tombstone() -> None:
    other = dataclasses.replace(HELD, generation=6)
    for generation in (6, 99):
        request = release(30, generation)
        released = identity.releasable(request, record(10, HELD, other))
        assert not identity.leaves_tombstone(request, record(10, HELD, other), released)


@given(st.permutations(range(1, 7)), st.lists(st.booleans(), min_size=6, max_size=6))
def test_in_whatever_order_attempts_arrive_the_last_to_begin_decides(
    arrival: list[int], assigns: list[bool]
) -> None:
    remembered: identity.Record | None = None
    for moment in arrival:
        if assigns[moment - 1]:
            remembered = assigned(moment, remembered)
        else:
            remembered = released_at(moment, remembered)
    assert remembered is not None
    assert bool(remembered.allocations) is assigns[-1]


def assigned(moment: int, known: identity.Record | None) -> identity.Record | None:
    """What is remembered after an assign arrived."""
    request = assign(any_ipv4(), moment=moment)
    try:
        held = identity.replay(request, known, POOLS)
    except errors.AttachmentReleased:
        return known
    stamps = known.stamp if known else None
    if known and held and not identity.advances(request.attempt, stamps):
        return known
    return record(moment, HELD)


def released_at(moment: int, known: identity.Record | None) -> identity.Record | None:
    """What is remembered after a release arrived."""
    request = release(moment)
    released = identity.releasable(request, known)
    if not identity.leaves_tombstone(request, known, released):
        return known
    newest = identity.newest(known.stamp if known else None, request.attempt)
    return identity.Record(stamp=newest, allocations=())


@pytest.mark.parametrize(
    ("first", "second", "newest"), [(1, 2, 2), (2, 1, 2), (None, 1, 1), (1, None, 1)]
)
def test_the_newest_stamp_is_remembered(first: int | None, second: int | None, newest: int) -> None:
    assert identity.newest(stamp(first), stamp(second)) == stamp(newest)
