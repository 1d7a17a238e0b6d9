"""What is wanted of a feed, laid out for all who follow it."""

import datetime
import ipaddress

import pytest

from moorage_server.api import selections as selections_
from moorage_server.api.selections import Entry, Selection, Selections
from moorage_server.domain import feed, history, model

TIME = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def entry(revision: int, node: str = "n1", pool: str = "a") -> Entry:
    """An assignment to a pod of a node."""
    address = ipaddress.ip_address(f"10.0.0.{revision}")
    workload = model.Workload(node=node)
    allocation = model.Allocation(
        address=address,
        generation=revision,
        block=ipaddress.ip_network("10.0.0.0/24"),
        attachment=model.AttachmentKey(
            vrf="default", network="pods", container_id=f"c{revision}", interface="eth0"
        ),
        facts=model.Facts(workload=workload),
        assign_time=TIME,
    )
    event = history.Event(
        kind=history.Kind.ASSIGNED,
        cause=history.Cause.REQUESTED,
        generation=revision,
        time=TIME,
        pool=pool,
        allocation=allocation,
        revision=revision,
    )
    return Entry(event)


def interest(node: str = "", *pools: str) -> feed.Interest:
    """In a node, or in pools."""
    wanted = model.AllocationFilter(vrf="default", node=node)
    return feed.Interest(filter=wanted, pools=frozenset(pools))


def revisions(selection: Selection, after: int = 0) -> list[int]:
    """What is there behind a revision."""
    return [each.revision for each in selection.after(after, 100)]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (interest(), [1, 2, 3]),
        (interest("n1"), [1, 3]),
        (interest("n2"), [2]),
        (interest("n3"), []),
        (interest("", "b"), [3]),
        (interest("n2", "b"), []),
    ],
)
def test_each_has_what_it_wants_in_order(wanted: feed.Interest, expected: list[int]) -> None:
    selections = Selections(room=10)
    selection = selections.join(wanted, 0, 0)
    selections.add([entry(1), entry(2, "n2"), entry(3, "n1", "b")])
    assert revisions(selection) == expected
    assert selection.has(0)


def test_those_who_want_the_same_share_it() -> None:
    selections = Selections(room=10)
    first = selections.join(interest("n1"), 0, 0)
    assert selections.join(interest("n1"), 7, 7) is first
    assert selections.join(interest("n2"), 7, 7) is not first
    selections.leave(first)
    assert selections.join(interest("n1"), 7, 7) is first
    selections.leave(first)
    selections.leave(first)
    assert selections.join(interest("n1"), 7, 7) is not first


def test_the_room_is_for_all_together_and_what_goes_first_is_what_came_first() -> None:
    selections = Selections(room=3)
    everything, rare = selections.join(interest(), 0, 0), selections.join(interest("n2"), 0, 0)
    selections.add([entry(1), entry(2, "n2"), entry(3)])
    selections.add([entry(4)])
    assert revisions(everything, 1) == [2, 3, 4]
    assert not everything.has(0)
    assert everything.has(1)
    assert rare.has(0)
    selections.add([entry(5), entry(6)])
    assert revisions(everything, 3) == [4, 5, 6]
    assert not rare.has(1)
    assert rare.has(2)
    assert revisions(rare, 2) == []


def test_what_nobody_wants_takes_no_room() -> None:
    selections = Selections(room=2)
    selection = selections.join(interest("n2"), 0, 0)
    selections.add([entry(1, "n2"), *(entry(at) for at in range(2, 9)), entry(9, "n2")])
    assert selection.has(0)
    assert revisions(selection) == [1, 9]


def test_one_who_left_leaves_room_in_order() -> None:
    selections = Selections(room=2)
    staying, leaving = selections.join(interest("n1"), 0, 0), selections.join(interest("n2"), 0, 0)
    selections.add([entry(1, "n2"), entry(2)])
    selections.leave(leaving)
    selections.add([entry(3)])
    assert staying.has(0)
    assert revisions(staying) == [2, 3]


def test_only_the_first_are_given_where_there_are_too_many() -> None:
    selections = Selections(room=10)
    selection = selections.join(interest(), 0, 0)
    selections.add([entry(at) for at in range(1, 6)])
    assert [each.revision for each in selection.after(1, 2)] == [2, 3]


def test_who_comes_back_finds_what_was_missed() -> None:
    selections = Selections(room=10)
    selections.join(interest("n9"), 0, 0)
    selections.add([entry(at, f"n{at % 2}") for at in range(1, 7)])
    back = selections.join(interest("n1"), 6, 2)
    assert back.has(2)
    assert not back.has(1)
    assert revisions(back, 2) == [3, 5]
    earlier = selections.join(interest("n1"), 6, 0)
    assert earlier is back
    assert revisions(back) == [1, 3, 5]
    selections.add([entry(7)])
    assert revisions(back) == [1, 3, 5, 7]


def test_what_was_missed_is_dropped_in_its_order() -> None:
    selections = Selections(room=3)
    everything = selections.join(interest(), 0, 0)
    selections.add([entry(1), entry(2), entry(3)])
    back = selections.join(interest("n1"), 3, 0)
    selections.add([entry(4)])
    assert (revisions(everything, 1), revisions(back, 1)) == ([2, 3, 4], [2, 3, 4])
    assert not back.has(0)


def test_who_missed_too_much_begins_at_the_head(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selections_, "RECENT", 3)
    selections = Selections(room=10)
    selections.join(interest("n9"), 0, 0)
    selections.add([entry(at) for at in range(1, 6)])
    late = selections.join(interest("n1"), 5, 1)
    assert not late.has(4)
    assert late.has(5)
    assert selections.join(interest("n2"), 5, 2).has(2)
