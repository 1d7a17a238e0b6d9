"""Nodes of the cluster and their labels, as the server comes to have them."""

import logging
import threading
import time

import pytest

import moorage
from controller.ground import GRACE, Cluster
from harness.calls import create_pool
from harness.kube import api_server, faults
from moorage.controller import feed, labels, nodes
from moorage.v1 import resources_pb2

MINE = {labels.NAME: "east", labels.UID: "uid-of-east"}


def test_the_nodes_of_the_cluster_are_recorded_with_their_labels(east: Cluster) -> None:
    east.kube.add_node("n1", labels={"topology/zone": "a"})
    east.kube.add_node("n2")
    east.round()
    assert east.nodes() == {"n1": {"topology/zone": "a"} | MINE, "n2": MINE}


def test_labels_that_change_or_go_are_followed(east: Cluster) -> None:
    east.kube.add_node("n1", labels={"zone": "a", "rack": "r1"})
    east.round()
    east.kube.add_node("n1", labels={"zone": "b"})
    east.round()
    assert east.nodes() == {"n1": {"zone": "b"} | MINE}


def test_labels_that_somebody_else_changed_are_put_right(east: Cluster) -> None:
    east.round()
    east.client.upsert_node(
        resources_pb2.Node(name="vrfs/default/nodes/n1", labels={"zone": "x"} | MINE)
    )
    east.round()
    assert east.nodes() == {"n1": MINE}


def test_what_is_as_it_was_is_not_written(east: Cluster) -> None:
    east.round()
    before = east.client.get_node("n1")
    east.round()
    assert east.client.get_node("n1") == before


def test_a_list_that_is_older_than_a_change_does_not_undo_it(east: Cluster) -> None:
    def meanwhile(handler: api_server.Handler) -> None:
        new = nodes.Node(name="n1", labels={"zone": "new"})
        handler.proceed(lambda: east.kept.follow(new))

    east.kube.add_node("n1", labels={"zone": "old"})
    east.round()
    east.kube.misbehave = faults.only("/nodes", meanwhile)
    east.round()
    assert east.nodes() == {"n1": {"zone": "new"} | MINE}
    east.kube.misbehave = None
    east.round()
    assert east.nodes() == {"n1": {"zone": "old"} | MINE}


def test_a_node_cannot_call_itself_another_clusters(east: Cluster) -> None:
    east.kube.add_node("n1", labels={labels.NAME: "west", labels.UID: "uid-of-west"})
    east.round()
    assert east.nodes() == {"n1": MINE}


def test_a_node_that_is_nobodys_is_taken_over(east: Cluster) -> None:
    node = resources_pb2.Node(name="vrfs/default/nodes/n1", labels={"by": "hand"})
    east.client.upsert_node(node)
    east.round()
    assert east.nodes() == {"n1": MINE}


def test_a_node_of_another_cluster_is_refused_and_left_alone(
    east: Cluster, west: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    west.kube.add_node("n1", labels={"zone": "w"})
    west.round()
    before = west.client.get_node("n1")
    east.round()
    assert east.client.get_node("n1") == before
    assert "node n1 of VRF default belongs to cluster 'west' (uid uid-of-west)" in caplog.text
    assert "and this is 'east' (uid uid-of-east)" in caplog.text
    assert "each cluster a VRF of its own" in caplog.text
    assert "`moorctl delete node n1 --vrf default`" in caplog.text


def test_a_cluster_may_be_renamed(east: Cluster) -> None:
    east.round()
    east.name = "orient"
    east.restart()
    east.round()
    assert east.nodes() == {"n1": {labels.NAME: "orient", labels.UID: "uid-of-east"}}


def test_a_cluster_that_was_given_the_name_of_another_is_another(
    east: Cluster, west: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    west.name = east.name
    west.restart()
    west.kube.add_node("n1", labels={"zone": "w"})
    west.kube.add_node("w1")
    east.round()
    west.round()
    assert east.nodes() == {"n1": MINE, "w1": {labels.NAME: "east", labels.UID: west.uid}}
    assert "node n1 of VRF default belongs to cluster 'east' (uid uid-of-east)" in caplog.text
    # Nor does either delete what is gone from itself alone.
    for cluster in (east, west):
        cluster.collect()
    assert set(east.nodes()) == {"n1", "w1"}


def test_a_node_with_many_labels_is_recorded(east: Cluster) -> None:
    labels = {f"l{at}": "x" for at in range(1022)}
    east.kube.add_node("n0", labels=labels)
    east.round()
    assert east.nodes()["n0"] == {**labels, **MINE}


def test_one_node_that_cannot_be_recorded_keeps_no_other_from_it(
    east: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    east.kube.add_node("n0", labels={f"l{at}": "" for at in range(1023)})
    east.kube.add_node("n2")
    east.round()
    assert east.nodes() == {"n1": MINE, "n2": MINE}
    assert "cannot record the labels of node n0" in caplog.text


def test_a_vrf_of_another_name_is_worked_in(east: Cluster, client: moorage.Client) -> None:
    client.create_vrf("blue")
    blue = Cluster(east.kube, client, east.database, vrf="blue")
    create_pool_in = resources_pb2.Pool(cidr="10.0.0.0/24")
    client.create_pool("four", create_pool_in, vrf="blue")
    blue.assign("shop/web-0", uid="uid-gone")
    for _ in range(2):
        blue.round()
        blue.pass_time()
    assert blue.nodes() == {"n1": MINE}
    assert blue.held() == set()
    assert east.nodes() == {}


# Nodes that go


def test_a_node_that_is_gone_is_deleted_after_the_grace(east: Cluster) -> None:
    east.kube.add_node("n2")
    east.round()
    east.kube.remove_node("n2")
    east.round()
    east.pass_time(GRACE)
    east.round()
    assert set(east.nodes()) == {"n1", "n2"}
    east.pass_time(1)
    east.round()
    assert set(east.nodes()) == {"n1"}


def test_a_node_that_comes_back_in_time_begins_anew(east: Cluster) -> None:
    east.kube.add_node("n2")
    east.round()
    east.kube.remove_node("n2")
    east.round()
    east.pass_time()
    east.kube.add_node("n2")
    east.round()
    east.kube.remove_node("n2")
    east.round()
    assert set(east.nodes()) == {"n1", "n2"}


def test_a_node_is_deleted_only_after_its_allocations_were_released(
    east: Cluster, client: moorage.Client
) -> None:
    affine = resources_pb2.BLOCK_AFFINITY_NODE
    create_pool(client, "affine", "10.1.0.0/24", priority=1, block_affinity=affine)
    east.kube.add_node("n2")
    east.round()
    east.run_pod("shop/web-0", node="n2")
    east.kube.remove_node("n2")
    for _ in range(3):  # its pod is still there
        east.round()
        east.pass_time()
    assert set(east.nodes()) == {"n1", "n2"}
    east.kube.remove_pod("shop/web-0")
    east.round()
    assert len(east.suspects()) == 1
    east.pass_time()
    east.round()
    assert east.held() == set()
    east.round()
    assert set(east.nodes()) == {"n1"}
    assert list(client.blocks()) == []


def test_what_is_not_a_pods_keeps_a_node_that_is_gone(east: Cluster) -> None:
    east.kube.add_node("n2")
    east.round()
    east.assign("", node="n2", use=resources_pb2.USE_TUNNEL)
    east.kube.remove_node("n2")
    for _ in range(3):
        east.round()
        east.pass_time()
    assert set(east.nodes()) == {"n1", "n2"}


def test_a_node_that_is_gone_is_left_to_another_cluster_that_holds_something_there(
    east: Cluster, west: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    east.kube.add_node("n2", labels={"zone": "e"})
    west.kube.add_node("n2", labels={"zone": "w"})
    west.kube.add_node("w1")
    east.round()
    west.round()
    gone, kept = east.run_pod("shop/web-0", node="n2"), west.run_pod("shop/web-0", node="n2")
    theirs = {"zone": "w", labels.NAME: "west", labels.UID: "uid-of-west"}
    east.kube.remove_node("n2")
    east.collect()
    assert east.held() == {gone, kept}  # its pod is still there
    assert east.nodes()["n2"] == {"zone": "e"} | MINE
    east.kube.remove_pod("shop/web-0")
    east.collect()
    east.round()
    assert east.nodes()["n2"] == {"zone": "e"}
    assert "left to cluster uid-of-west, for which 1 addresses are held there" in caplog.text
    west.round()
    east.collect()
    assert east.nodes()["n2"] == theirs
    assert east.held() == {kept}


@pytest.mark.parametrize("holder", ["", "former"])
def test_a_node_that_is_gone_is_not_left_to_a_cluster_that_has_no_node(
    east: Cluster, holder: str
) -> None:
    east.kube.add_node("n2")
    east.round()
    east.assign("shop/web-0", uid="uid-gone", node="n2", cluster=holder)
    east.kube.remove_node("n2")
    east.collect()
    east.round()
    assert east.nodes()["n2"] == MINE


def test_nodes_of_others_are_never_deleted(east: Cluster, west: Cluster) -> None:
    west.kube.add_node("w1")
    west.round()
    east.client.upsert_node(resources_pb2.Node(name="vrfs/default/nodes/by-hand"))
    for _ in range(3):
        east.round()
        east.pass_time()
    assert set(east.nodes()) == {"n1", "w1", "by-hand"}


def test_a_controller_that_took_over_waits_for_the_whole_grace_again(east: Cluster) -> None:
    east.kube.add_node("n2")
    east.round()
    east.kube.remove_node("n2")
    east.round()
    east.pass_time()
    east.restart()
    east.round()
    assert set(east.nodes()) == {"n1", "n2"}
    east.pass_time()
    east.round()
    assert set(east.nodes()) == {"n1"}


# As they change


class Followed:
    """What a feed tells of."""

    def __init__(self, east: Cluster, silence: float = 30.0) -> None:
        self.told: list[nodes.Node] = []
        self._come = threading.Condition()
        self.feed = feed.Feed(east.api, self._take, silence=silence)

    def _take(self, node: nodes.Node) -> None:
        with self._come:
            self.told.append(node)
            self._come.notify_all()

    def wait(self, name: str, **wanted: str) -> None:
        """Returns once a node was told of with these labels."""
        node = nodes.Node(name=name, labels=wanted)
        with self._come:
            assert self._come.wait_for(lambda: node in self.told, timeout=20), self.told


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What broke is tried again at once."""
    monkeypatch.setattr(feed, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(feed, "LONGEST_PAUSE", 0.01)


def test_a_change_is_told_of_as_it_comes(east: Cluster) -> None:
    followed = Followed(east)
    followed.feed.start()
    followed.wait("n1")
    assert east.kube.watching.acquire(timeout=20)
    east.kube.add_node("n1", labels={"zone": "a"})
    followed.wait("n1", zone="a")
    followed.feed.stop()


def test_a_watch_that_ends_at_once_is_not_asked_for_again_at_once(
    east: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, feed.__name__)
    east.kube.misbehave = faults.only("watch=", faults.answering(b""))
    followed = Followed(east)
    followed.feed.start()
    followed.wait("n1")
    end = time.monotonic() + 20
    while "ended at once; the nodes are listed or watched again" not in caplog.text:
        assert time.monotonic() < end
        time.sleep(0.01)
    followed.feed.stop()


def test_a_watch_that_the_server_ends_goes_on_where_it_was(east: Cluster, quick: None) -> None:
    followed = Followed(east)
    followed.feed.start()
    for at in range(3):
        assert east.kube.watching.acquire(timeout=20)
        east.kube.end_watches()
        east.kube.add_node("n1", labels={"at": str(at)})
        followed.wait("n1", at=str(at))
    followed.feed.stop()
    assert [path for path in east.kube.requests if "limit" in path] == ["/api/v1/nodes?limit=500"]


def test_a_watch_that_lies_too_far_back_begins_with_a_list(east: Cluster, quick: None) -> None:
    followed = Followed(east)
    followed.feed.start()
    assert east.kube.watching.acquire(timeout=20)
    east.kube.misbehave = faults.only("watch=", faults.refusing(500))
    east.kube.end_watches()
    east.kube.add_node("n1", labels={"zone": "b"})
    east.kube.store.compact()
    east.kube.misbehave = None
    followed.wait("n1", zone="b")
    followed.feed.stop()
    assert len([path for path in east.kube.requests if "limit" in path]) == 2


@pytest.mark.parametrize(
    "fault",
    [
        faults.refusing(410),
        faults.refusing(401),
        faults.refusing(403),
        faults.refusing(429, retry_after=0),
        faults.refusing(500),
        faults.truncating(),
        faults.answering(b"<html>"),
        faults.broken_watches(),
        faults.answering(b'{"type":"ERROR","object":{"kind":"Status","code":410}}\n'),
        faults.answering(b"[]\n"),
    ],
)
def test_a_watch_that_breaks_is_begun_again(
    east: Cluster, quick: None, fault: faults.Fault
) -> None:
    east.kube.misbehave = faults.only("watch=", faults.times(2, fault))
    followed = Followed(east)
    followed.feed.start()
    assert east.kube.watching.acquire(timeout=20)
    east.kube.add_node("n1", labels={"zone": "c"})
    followed.wait("n1", zone="c")
    followed.feed.stop()


def test_a_watch_that_falls_silent_is_begun_again(east: Cluster, quick: None) -> None:
    east.kube.misbehave = faults.times(2, faults.silent_watches())
    followed = Followed(east, silence=0.2)
    followed.feed.start()
    for _ in range(2):
        assert east.kube.watching.acquire(timeout=20)
    east.kube.add_node("n1", labels={"zone": "d"})
    followed.wait("n1", zone="d")
    followed.feed.stop()


def test_bookmarks_are_signs_of_life_and_nothing_else(east: Cluster) -> None:
    east.kube.bookmarks = True
    followed = Followed(east, silence=0.5)
    followed.feed.start()
    assert east.kube.watching.acquire(timeout=20)
    assert not east.kube.watching.acquire(timeout=1)
    east.kube.add_node("n1", labels={"zone": "e"})
    followed.wait("n1", zone="e")
    followed.feed.stop()
    assert {node.name for node in followed.told} == {"n1"}


def test_a_watch_is_broken_off_at_once(east: Cluster) -> None:
    followed = Followed(east)
    followed.feed.start()
    assert east.kube.watching.acquire(timeout=20)
    followed.feed.stop()
    assert not [t for t in threading.enumerate() if t.name == "nodes"]


def test_a_watch_that_is_the_last_of_its_connection_is_broken_off_too(east: Cluster) -> None:
    east.kube.misbehave = faults.silent_watches(hanging_up=True)
    followed = Followed(east)
    followed.feed.start()
    assert east.kube.watching.acquire(timeout=20)
    followed.feed.stop()
    assert not [t for t in threading.enumerate() if t.name == "nodes"]


@pytest.fixture(autouse=True)
def told(caplog: pytest.LogCaptureFixture) -> None:
    """Everything that is logged is kept."""
    caplog.set_level(logging.INFO)
