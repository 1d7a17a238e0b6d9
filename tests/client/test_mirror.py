"""A mirror applies what follows from what it knows, and refuses everything else."""

import pytest

from moorage import mirror, watch
from moorage.v1 import history_pb2, resources_pb2

ASSIGNED = history_pb2.ALLOCATION_EVENT_KIND_ASSIGNED
RELEASED = history_pb2.ALLOCATION_EVENT_KIND_RELEASED


def at(revision: int, epoch: str = "e") -> history_pb2.Cursor:
    """A cursor."""
    return history_pb2.Cursor(epoch=epoch, revision=revision)


def held(address: str, generation: int = 1) -> resources_pb2.Allocation:
    """What is held."""
    return resources_pb2.Allocation(address=address, generation=generation)


def assigned(revision: int, address: str, generation: int) -> history_pb2.AllocationEvent:
    """An assignment."""
    return history_pb2.AllocationEvent(
        revision=revision,
        kind=ASSIGNED,
        generation=generation,
        allocation=held(address, generation),
    )


def released(
    revision: int, address: str, generation: int, *, of: int = 1
) -> history_pb2.AllocationEvent:
    """A release of what was assigned at another generation."""
    return history_pb2.AllocationEvent(
        revision=revision, kind=RELEASED, generation=generation, allocation=held(address, of)
    )


def changed(cursor: int, *events: history_pb2.AllocationEvent, epoch: str = "e") -> watch.Update:
    """An update that is no snapshot."""
    return watch.Update(cursor=at(cursor, epoch), events=events)


def copy(*, filtered: bool = False) -> mirror.Mirror:
    """A mirror that knows 10.0.0.1 at revision 5."""
    made = mirror.Mirror(filtered=filtered)
    made.apply(watch.Update(cursor=at(5), held=(held("10.0.0.1"),)))
    return made


def test_a_mirror_is_what_snapshot_and_changes_come_to() -> None:
    made = copy()
    made.apply(changed(7, released(6, "10.0.0.1", 8), assigned(7, "10.0.0.2", 9)))
    made.apply(changed(7))
    made.apply(changed(8, assigned(8, "10.0.0.1", 10)))
    assert {each.address: each.generation for each in made.allocations.values()} == {
        "10.0.0.2": 9,
        "10.0.0.1": 10,
    }
    assert made.cursor == at(8)


def test_a_snapshot_replaces_what_was_known() -> None:
    made = copy()
    made.apply(watch.Update(cursor=at(2, "another"), held=(held("10.0.0.9"),)))
    assert list(made.allocations) == ["10.0.0.9"]
    assert made.cursor == at(2, "another")


def test_a_snapshot_may_come_with_what_followed_it() -> None:
    made = mirror.Mirror()
    made.apply(
        watch.Update(cursor=at(3), held=(held("10.0.0.1"),), events=(released(3, "10.0.0.1", 2),))
    )
    assert made.allocations == {}


def test_a_saved_copy_goes_on_from_its_cursor() -> None:
    made = mirror.Mirror([held("10.0.0.1")], at(5))
    made.apply(changed(6, released(6, "10.0.0.1", 2)))
    assert made.allocations == {}


@pytest.mark.parametrize(
    "update",
    [
        changed(7, assigned(7, "10.0.0.2", 9)),
        changed(5, assigned(5, "10.0.0.2", 9)),
        changed(7, assigned(6, "10.0.0.2", 9), assigned(6, "10.0.0.3", 10)),
        changed(7, assigned(6, "10.0.0.2", 9)),
        changed(6),
        changed(4),
        changed(6, assigned(6, "10.0.0.1", 9)),
        changed(6, released(6, "10.0.0.2", 9)),
        changed(6, released(6, "10.0.0.1", 9, of=8)),
        changed(6, assigned(6, "10.0.0.2", 9), epoch="another"),
        watch.Update(cursor=at(1), held=(held("10.0.0.1"), held("10.0.0.1", 2))),
    ],
    ids=[
        "a gap",
        "an old revision",
        "a revision twice",
        "a cursor ahead of the events",
        "a cursor ahead of nothing",
        "a cursor that goes back",
        "an assignment of what is held",
        "a release of what is not held",
        "a release of another generation",
        "another history",
        "an address twice",
    ],
)
def test_what_does_not_follow_is_refused(update: watch.Update) -> None:
    with pytest.raises(mirror.Inconsistent):
        copy().apply(update)


def test_changes_of_nothing_known_are_refused() -> None:
    with pytest.raises(mirror.Inconsistent):
        mirror.Mirror().apply(changed(1, assigned(1, "10.0.0.1", 1)))


def test_with_a_filter_revisions_are_left_out_and_still_grow() -> None:
    made = copy(filtered=True)
    made.apply(changed(12, assigned(8, "10.0.0.2", 9)))
    assert made.cursor == at(12)
    for update in (changed(13, assigned(12, "10.0.0.3", 9)), changed(11)):
        with pytest.raises(mirror.Inconsistent):
            made.apply(update)
