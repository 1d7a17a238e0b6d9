"""A node acts for itself alone, and learns nothing of what others hold."""

from collections.abc import Callable, Iterator

import pytest

import moorage
from harness import calls
from moorage.v1 import filter_pb2, resources_pb2

Two = tuple[moorage.Client, moorage.Client]


@pytest.fixture
def nodes(calling: Callable[..., moorage.Client]) -> Iterator[Two]:
    """The clients of n1 and n2; n2 holds an address for container "theirs"."""
    operator = calling("op", common_name="op")
    calls.create_pool(operator, "p", "10.0.0.0/24")
    n1, n2 = (
        calling(name, common_name=f"system:node:{name}", of=["system:nodes"])
        for name in ("n1", "n2")
    )
    calls.assign(n2, "theirs", node="n2")
    yield n1, n2
    assert [each.attachment.container_id for each in n2.allocations()] == ["theirs"]


def told(call: Callable[[], object]) -> tuple[str, str, dict[str, str], str]:
    with pytest.raises(moorage.Denied) as raised:
        call()
    error = raised.value
    return error.code.name, error.reason, error.metadata, error.message


def test_it_assigns_under_its_own_name_alone(nodes: Two) -> None:
    n1, _ = nodes
    refusals = [
        told(lambda: calls.assign(n1, "mine", node="n2")),
        told(lambda: calls.assign(n1, "mine", node="nobody")),
        told(lambda: calls.assign(n1, "mine")),
        told(lambda: calls.assign(n1, "theirs", node="n2")),
        told(lambda: calls.assign(n1, "theirs", node="n1")),
    ]
    assert {each[:2] for each in refusals} == {("PERMISSION_DENIED", "NOT_YOURS")}
    assert len({str(each) for each in refusals}) == 1  # word for word
    (held,) = calls.assign(n1, "mine", node="n1")
    assert calls.assign(n1, "mine", node="n1") == [held]


def test_it_releases_nothing_of_others_and_is_told_what_it_would_be_of_nothing(nodes: Two) -> None:
    n1, n2 = nodes
    assert calls.release(n1, "theirs", stamp=5) == calls.release(n1, "absent", stamp=5) == []
    # Nothing was left behind that would be in their way.
    assert calls.assign(n2, "theirs", node="n2", stamp=1)


def test_it_sees_its_own_alone(nodes: Two) -> None:
    n1, n2 = nodes
    (mine,) = calls.assign(n1, "mine", node="n1")
    assert [each.address for each in n1.allocations()] == [mine.address]
    by_key = filter_pb2.AllocationFilter(attachment=calls.attachment("theirs"))
    absent = filter_pb2.AllocationFilter(attachment=calls.attachment("absent"))
    assert list(n1.allocations(by_key)) == list(n1.allocations(absent)) == []
    for name in ("n2", "nobody"):
        asked = filter_pb2.AllocationFilter(workload=resources_pb2.Workload(node=name))
        assert told(lambda asked=asked: list(n1.allocations(asked)))[1] == "NOT_YOURS"  # type: ignore[misc]
    (theirs,) = n2.allocations()
    assert n1.get_allocation(mine.address) == mine
    assert told(lambda: n1.get_allocation(theirs.address)) == told(
        lambda: n1.get_allocation("10.0.0.200")
    )
    calls.release(n1, "mine")


def test_a_page_token_is_of_the_nodes_own_list(nodes: Two) -> None:
    n1, n2 = nodes
    for at in range(3):
        calls.assign(n1, f"c{at}", node="n1")
    assert len(list(n1.allocations(page_size=1))) == 3
    assert len(list(n2.allocations(page_size=1))) == 1


def test_its_list_is_of_its_own(nodes: Two) -> None:
    n1, _ = nodes
    assert told(lambda: n1.reconcile_node("n2", [])) == told(lambda: n1.reconcile_node("no", []))
    assert n1.reconcile_node("n1", []).confirmed_count == 0


def test_what_the_operator_assigned_to_a_node_is_the_nodes(
    nodes: Two, calling: Callable[..., moorage.Client]
) -> None:
    n1, _ = nodes
    operator = calling("op2", common_name="op")
    (given,) = calls.assign(operator, "given", node="n1")
    (nobodys,) = calls.assign(operator, "nobodys")
    assert calls.release(n1, "given") == [given.address]
    assert calls.release(n1, "nobodys") == []
    assert calls.release(operator, "nobodys") == [nobodys.address]
