"""Addresses that no controller collects are told of, with what to do, and without nagging."""

import pytest

from controller.ground import GRACE, Cluster
from moorage.controller import strays
from moorage.v1 import resources_pb2

OF_NONE = "assigned for no cluster"
OF_ANOTHER = "assigned for cluster"


def told(caplog: pytest.LogCaptureFixture, part: str) -> list[str]:
    """What was said with this in it, once."""
    found = [line for line in caplog.messages if part in line]
    caplog.clear()
    return found


def test_what_says_of_no_cluster_is_told_of(
    east: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    east.assign("shop/gone", uid="uid-gone", cluster="")
    east.assign("", cluster="", use=resources_pb2.USE_TUNNEL)
    east.round()
    (line,) = told(caplog, OF_NONE)
    assert line.startswith("node n1: 1 addresses of pods")
    assert '"cluster": "uid-of-east"' in line
    assert "`moorctl reconcile --node NAME --cluster none FILE`" in line


def test_a_node_that_the_plugin_calls_by_another_name_is_found(
    east: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    for node in ("host1", "host2", "host3", "host4", ""):
        east.assign(f"shop/{node}", uid=f"uid-{node}", node=node, cluster="")
    east.round()
    (line,) = told(caplog, OF_NONE)
    assert line.startswith("nodes (none), host1, host2 and 2 more: 5 addresses")


def test_it_is_told_once_in_a_term_and_then_once_an_hour(
    east: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    east.assign("shop/gone", uid="uid-gone", node="host1", cluster="")
    east.round()
    east.clock.now += strays.EVERY - 1
    east.round()
    assert len(told(caplog, OF_NONE)) == 1
    east.clock.now += 1
    east.round()
    assert len(told(caplog, OF_NONE)) == 1
    east.restart()
    east.round()
    assert len(told(caplog, OF_NONE)) == 1


@pytest.mark.parametrize("written", ["east", "uid-of-the-former-east"])
def test_a_wrong_cluster_on_a_node_of_ours_is_told_of(
    east: Cluster, caplog: pytest.LogCaptureFixture, written: str
) -> None:
    gone = east.assign("shop/gone", uid="uid-gone", cluster=written)
    east.round()
    (line,) = told(caplog, OF_ANOTHER)
    assert line.startswith(f"node n1: 1 addresses of pods were assigned for cluster '{written}'")
    assert '"cluster": "uid-of-east"' in line
    assert f"`moorctl reconcile --node NAME --cluster {written} FILE`" in line
    assert east.held() == {gone}
    east.clock.now += strays.EVERY
    east.round()
    assert len(told(caplog, OF_ANOTHER)) == 1


def test_a_cluster_without_a_node_is_told_of_on_whatever_node(
    east: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    for node in ("autoscaled-7", "host1"):
        east.assign(f"shop/{node}", uid=f"uid-{node}", node=node, cluster="former")
    east.round()
    (line,) = told(caplog, OF_ANOTHER)
    assert line.startswith("nodes autoscaled-7, host1: 2 addresses of pods")


def test_another_cluster_is_told_of_only_where_it_has_a_node_of_the_same_name(
    east: Cluster, west: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    west.kube.add_node("w1")
    west.round()
    west.run_pod("shop/web-0", node="w1")
    east.round()
    assert told(caplog, OF_ANOTHER) == []
    west.run_pod("shop/web-1", node="n1")
    for _ in range(3):
        east.clock.now += strays.EVERY
        east.round()
    assert len(told(caplog, OF_ANOTHER)) == 1


def test_nothing_is_told_where_all_is_well(east: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    east.run_pod("shop/web-0")
    east.pass_time(GRACE)
    east.round()
    assert caplog.messages == []
