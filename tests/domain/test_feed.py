"""What was held at a revision, and which allocations a filter means."""

import dataclasses
import datetime
from typing import Any

import pytest

from moorage_server.domain import addresses, errors, feed, history, model

NOON = datetime.datetime(2030, 1, 1, 12, tzinfo=datetime.UTC)
ALL = model.AllocationFilter(vrf="default")


def allocation(address: str, generation: int = 1, container: str = "c1") -> model.Allocation:
    """An allocation of a /24."""
    key = model.AttachmentKey(
        vrf="default", network="pods", container_id=container, interface="eth0"
    )
    workload = model.Workload(
        node="n1", namespace="shop", pod="cart-0", pod_uid="u1", cluster="east"
    )
    return model.Allocation(
        attachment=key,
        address=addresses.parse_address(address),
        generation=generation,
        block=addresses.parse_network("10.0.0.0/24"),
        assign_time=NOON,
        facts=model.Facts(workload=workload, owner_key="cart", labels={"app": "cart", "x": "y"}),
    )


def assigned(address: str, generation: int) -> history.Event:
    """An assignment."""
    return event(history.Kind.ASSIGNED, generation, allocation(address, generation))


def released(address: str, generation: int, *, of: int = 1) -> history.Event:
    """A release of what was assigned at another generation."""
    return event(history.Kind.RELEASED, generation, allocation(address, of))


def event(kind: history.Kind, generation: int, of: model.Allocation) -> history.Event:
    """An event of pool a."""
    return history.Event(
        kind=kind,
        cause=history.Cause.REQUESTED,
        generation=generation,
        time=NOON,
        pool="a",
        allocation=of,
    )


def held(*allocations: model.Allocation) -> list[history.Holding]:
    """Holdings of pool a."""
    return [history.Holding(allocation=each, pool="a") for each in allocations]


def test_what_was_assigned_later_was_not_held() -> None:
    rewind = feed.Rewind([assigned("10.0.0.1", 5)])
    stayed, came = allocation("10.0.0.0"), allocation("10.0.0.1", 5)
    assert not rewind.is_changed(str(stayed.address))
    assert rewind.is_changed(str(came.address))
    assert rewind.restored(ALL) == []


def test_what_was_released_later_was_held_as_its_release_tells() -> None:
    rewind = feed.Rewind([released("10.0.0.1", 5, of=3)])
    assert rewind.restored(ALL) == held(allocation("10.0.0.1", 3))


def test_what_changed_hands_later_was_held_by_the_first() -> None:
    rewind = feed.Rewind([released("10.0.0.1", 5, of=3), assigned("10.0.0.1", 6)])
    assert rewind.is_changed("10.0.0.1")
    assert rewind.restored(ALL) == held(allocation("10.0.0.1", 3))


def test_what_came_and_went_later_was_not_held() -> None:
    rewind = feed.Rewind([assigned("10.0.0.1", 5), released("10.0.0.1", 6, of=5)])
    assert rewind.is_changed("10.0.0.1")
    assert rewind.restored(ALL) == []


def test_what_a_filter_leaves_out_is_not_restored() -> None:
    rewind = feed.Rewind([released("10.0.0.1", 5), released("10.0.0.2", 6)])
    wanted = dataclasses.replace(ALL, within=addresses.parse_network("10.0.0.2/32"))
    assert rewind.restored(wanted) == held(allocation("10.0.0.2"))


def test_only_a_cursor_of_the_same_history_that_is_not_ahead_is_known() -> None:
    head = feed.Cursor(epoch="e", revision=7)
    feed.require_known("default", feed.Cursor(epoch="e", revision=7), head)
    for cursor in (feed.Cursor(epoch="e", revision=8), feed.Cursor(epoch="f", revision=1)):
        with pytest.raises(errors.CursorUnknown):
            feed.require_known("default", cursor, head)


MATCHING: dict[str, dict[str, Any]] = {
    "nothing": {},
    "the attachment": {"attachment": allocation("10.0.0.1").attachment},
    "a range": {"within": addresses.parse_network("10.0.0.0/30")},
    "the address": {"within": addresses.parse_network("10.0.0.1/32")},
    "one of the pools": {
        "pools": (addresses.parse_network("fd00::/64"), addresses.parse_network("10.0.0.0/24"))
    },
    "the network": {"network": "pods"},
    "the container": {"container_id": "c1"},
    "the interface": {"interface": "eth0"},
    "the node": {"node": "n1"},
    "the namespace": {"namespace": "shop"},
    "the pod": {"pod": "cart-0"},
    "the pod's uid": {"pod_uid": "u1"},
    "the cluster": {"cluster": "east"},
    "the owner": {"owner_key": "cart"},
    "some labels": {"labels": {"app": "cart"}},
}
OTHER: dict[str, dict[str, Any]] = {
    "the attachment": {"attachment": allocation("10.0.0.1", container="c2").attachment},
    "a range": {"within": addresses.parse_network("fd00::/64")},
    "the address": {"within": addresses.parse_network("10.0.0.2/32")},
    "one of the pools": {"pools": (addresses.parse_network("10.0.1.0/24"),)},
    "some labels": {"labels": {"app": "cart", "x": "z"}},
    **{
        name: dict.fromkeys(wanted, "another")
        for name, wanted in MATCHING.items()
        if all(isinstance(value, str) for value in wanted.values()) and wanted
    },
}


@pytest.mark.parametrize("wanted", MATCHING.values(), ids=MATCHING)
def test_a_filter_means_what_agrees_with_it(wanted: dict[str, Any]) -> None:
    meant = dataclasses.replace(ALL, **wanted)
    assert meant.matches(allocation("10.0.0.1"))


@pytest.mark.parametrize("name", OTHER)
def test_a_filter_leaves_out_what_does_not(name: str) -> None:
    other = dataclasses.replace(ALL, **OTHER[name])
    assert not other.matches(allocation("10.0.0.1"))
