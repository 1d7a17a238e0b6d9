"""Addresses of pods that are gone: which are released, when, and which never are."""

import contextlib
import json
import logging
import threading
from collections.abc import Iterator

import pytest

import moorage
from controller.ground import GRACE, Cluster
from harness import serving
from harness.calls import IPV4, IPV6, want
from harness.kube import api_server, faults
from harness.proxy import in_front_of
from harness.reconciling import worked_on
from moorage.controller import api, lease
from moorage.v1 import resources_pb2


def collect(east: Cluster) -> None:
    """As many rounds as a leak can live."""
    east.round()
    east.pass_time()
    east.round()


def test_an_address_whose_pod_is_gone_is_released_after_the_grace(
    east: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    kept = east.run_pod("shop/web-0")
    gone = east.run_pod("shop/web-1", uid="uid-gone")
    east.kube.remove_pod("shop/web-1")
    east.round()
    assert east.suspects() == {gone}
    east.pass_time(GRACE - 60)
    east.round()
    assert east.held() == {kept, gone}
    east.pass_time(61)
    east.round()
    assert east.held() == {kept}
    told = [record.getMessage() for record in caplog.records]
    described = f"{gone} of pod shop/web-1 (uid uid-gone, container "
    assert [line.split(": ")[0] for line in told if described in line] == ["suspect", "released"]


def test_all_addresses_of_a_pod_go_together(east: Cluster) -> None:
    east.assign("shop/web-0", uid="uid-gone", families=(IPV4, IPV6))
    collect(east)
    assert east.held() == set()


def test_a_pod_that_has_ended_has_no_address(east: Cluster) -> None:
    for phase in ("Succeeded", "Failed"):
        east.kube.add_pod(f"shop/{phase.lower()}", uid=f"uid-{phase}", node="n1", phase=phase)
        east.assign(f"shop/{phase.lower()}", uid=f"uid-{phase}")
    kept = set()
    for phase in ("Pending", "Running", "Unknown", ""):
        name = f"shop/p{phase.lower()}"
        east.kube.add_pod(name, uid=f"uid-{phase}", node="n1", phase=phase)
        kept.add(east.assign(name, uid=f"uid-{phase}"))
    collect(east)
    assert east.held() == kept


def test_a_pod_on_the_network_of_its_node_has_none(east: Cluster) -> None:
    east.kube.add_pod("shop/host", uid="uid-host", node="n1", host_network=True)
    east.assign("shop/host", uid="uid-host")
    collect(east)
    assert east.held() == set()


def test_a_pod_is_live_by_its_uid_and_not_by_its_name(east: Cluster) -> None:
    # whereabouts#176, spiderpool#2526: by name, the pod that is there would be the old one.
    new = east.run_pod("shop/web-0", uid="uid-new")
    east.assign("shop/web-0", uid="uid-old", container="old")
    collect(east)
    assert east.held() == {new}


def test_without_a_uid_a_pod_is_known_by_its_name(east: Cluster) -> None:
    east.kube.add_pod("shop/web-0", uid="uid-any", node="n1")
    kept = east.assign("shop/web-0")
    east.assign("shop/web-1")
    east.assign("store/web-0")
    collect(east)
    assert east.held() == {kept}


def test_a_pod_that_runs_elsewhere_than_recorded_is_live(east: Cluster) -> None:
    # calico#12257: a node that was recorded wrongly is no reason.
    east.kube.add_node("n2")
    east.kube.add_pod("shop/web-0", uid="uid-0", node="n2")
    kept = east.assign("shop/web-0", uid="uid-0", node="n1")
    collect(east)
    assert east.held() == {kept}


def test_a_static_pod_is_live_by_its_mirror(east: Cluster) -> None:
    mirror = {"kubernetes.io/config.mirror": "hash"}
    east.kube.add_pod("kube-system/proxy", uid="uid-mirror", node="n1", annotations=mirror)
    kept = east.assign("kube-system/proxy", uid="hash")
    collect(east)
    assert east.held() == {kept}


def test_what_names_no_pod_is_kept(east: Cluster) -> None:
    kept = {east.assign(""), east.assign("", use=resources_pb2.USE_TUNNEL)}
    vm = resources_pb2.Attachment(network="calico-vms", container_id="v", interface="eth0")
    named = resources_pb2.Workload(node="n1", namespace="shop", pod="gone")
    kept.add(east.client.assign(vm, [want()], workload=named)[0].address)
    collect(east)
    assert east.held() == kept


def test_allocations_of_nodes_that_are_not_this_clusters_are_never_touched(
    east: Cluster, west: Cluster
) -> None:
    west.kube.add_node("w1")
    west.round()
    others = {
        east.assign("shop/web-0", uid="uid-a", node="w1"),
        east.assign("shop/web-0", uid="uid-b", node="by-nobody"),
        east.assign("shop/web-0", uid="uid-c", node=""),
    }
    collect(east)
    collect(east)
    assert (east.held(), east.suspects()) == (others, set())


def test_each_cluster_of_a_shared_vrf_collects_its_own(east: Cluster, west: Cluster) -> None:
    west.kube.add_node("w1")
    mine = east.run_pod("shop/web-0", uid="uid-e")
    theirs = west.run_pod("shop/web-0", uid="uid-w", node="w1")
    for at, cluster in enumerate((east, west)):
        cluster.assign("shop/gone", uid=f"uid-gone-{at}", node=("n1", "w1")[at])
    for cluster in (east, west):
        cluster.round()
    assert len(east.suspects()) == 2
    east.pass_time()
    east.round()
    assert len(east.held()) == 3
    west.round()
    assert east.held() == {mine, theirs}


def test_a_node_of_which_nothing_is_heard_keeps_everything(east: Cluster) -> None:
    gone = east.assign("shop/web-0", uid="uid-gone")
    east.round()
    assert east.suspects() == {gone}
    east.kube.add_node("n1", ready="Unknown")
    east.pass_time()
    for _ in range(2):
        east.round()
        east.pass_time()
    assert east.held() == {gone}
    # Once it is heard of again, the grace begins anew.
    east.kube.add_node("n1")
    east.round()
    assert east.suspects() == {gone}
    east.pass_time()
    east.round()
    assert east.held() == set()


def test_a_node_that_is_out_of_service_keeps_nothing(east: Cluster) -> None:
    east.assign("shop/web-0", uid="uid-gone")
    taint = "node.kubernetes.io/out-of-service"
    east.kube.add_node("n1", ready="Unknown", taints=("node.kubernetes.io/unreachable", taint))
    collect(east)
    assert east.held() == set()


def test_a_drained_node_needs_nothing_of_its_own(east: Cluster) -> None:
    gone = east.run_pod("shop/web-0")
    east.kube.add_node("n1", taints=("node.kubernetes.io/unschedulable",))
    collect(east)
    assert east.held() == {gone}
    east.kube.remove_pod("shop/web-0")
    collect(east)
    assert east.held() == set()
    assert set(east.nodes()) == {"n1"}


# What is under way


def test_an_add_that_ends_while_the_lists_are_made_is_not_released(east: Cluster) -> None:
    given: list[str] = []

    def late(handler: api_server.Handler) -> None:
        # Between what the node holds and the pods of the cluster: both come just then.
        handler.proceed()
        east.kube.misbehave = None
        east.kube.add_pod("shop/late", uid="uid-late", node="n1")
        given.append(east.assign("shop/late", uid="uid-late"))

    for _ in range(3):
        east.assign("shop/gone", uid="uid-gone")
        east.kube.misbehave = faults.only("/pods", late)
        east.round()
        assert east.suspects() >= set(given[-1:])
        east.round()
        assert not east.suspects() & set(given)
        east.pass_time()
        east.round()
        assert east.held() == set(given)


def test_a_pod_that_is_there_again_clears_the_suspicion(east: Cluster) -> None:
    kept = east.assign("shop/web-0", uid="uid-0")
    east.round()
    assert east.suspects() == {kept}
    east.kube.add_pod("shop/web-0", uid="uid-0", node="n1")
    east.round()
    assert east.suspects() == set()
    east.kube.remove_pod("shop/web-0")
    east.pass_time()
    east.round()
    assert east.held() == {kept}


def test_a_late_repetition_of_an_add_whose_pod_is_gone_comes_too_late(east: Cluster) -> None:
    stamp = resources_pb2.AttemptStamp(boot_id="of-n1", boot_time_ns=5)
    east.assign("shop/web-0", uid="uid-gone", container="c", attempt=stamp)
    collect(east)
    with pytest.raises(moorage.Conflict) as refusal:
        east.assign("shop/web-0", uid="uid-gone", container="c", attempt=stamp)
    assert refusal.value.reason == "ATTACHMENT_RELEASED"
    later = resources_pb2.AttemptStamp(boot_id="of-n1", boot_time_ns=6)
    assert east.assign("shop/web-0", uid="uid-gone", container="c", attempt=later)


def test_a_round_that_takes_too_long_is_given_up(
    east: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    gone = east.assign("shop/web-0", uid="uid-gone")
    east.round()
    east.pass_time()

    def slow(handler: api_server.Handler) -> None:
        handler.proceed()
        east.clock.now += GRACE / 2 + 1

    east.kube.misbehave = faults.only("/pods", slow)
    east.round()
    assert east.held() == {gone}
    assert "took too long" in caplog.text


def test_whoever_does_not_lead_any_more_changes_nothing(east: Cluster) -> None:
    gone = east.assign("shop/web-0", uid="uid-gone")
    east.round()
    east.pass_time()

    def lose(handler: api_server.Handler) -> None:
        handler.proceed()
        east.permitted = 0

    east.kube.misbehave = faults.only("/pods", lose)
    with pytest.raises(lease.NotLeading):
        east.round()
    assert east.held() == {gone}


# What goes wrong


def page(kind: str = "PodList", **fields: object) -> bytes:
    """A list that is none, or one without pods."""
    whole = {"kind": kind, "metadata": {"resourceVersion": "9"}, "items": []}
    return json.dumps(whole | fields).encode()


NOT_ALL_PODS = {
    "401": faults.refusing(401),
    "403": faults.refusing(403),
    "404": faults.refusing(404),
    "409": faults.refusing(409),
    "410": faults.refusing(410),
    "429": faults.refusing(429, retry_after=7),
    "500": faults.refusing(500),
    "truncated": faults.truncating(),
    "empty": faults.answering(page()),
    "no items": faults.answering(page(items=None)),
    "another kind": faults.answering(page("NodeList")),
    "no version": faults.answering(page(metadata={})),
    "a Status": faults.answering(b'{"kind":"Status","status":"Failure","code":500}'),
    "items that are none": faults.answering(page(items=[None])),
    "a pod without a uid": faults.answering(
        page(items=[{"metadata": {"name": "a", "namespace": "b"}}])
    ),
    "no JSON": faults.answering(b"<html>"),
    "nothing": faults.answering(b""),
    "deep": faults.answering(b"[" * 100_000),
}


@pytest.mark.parametrize("fault", NOT_ALL_PODS.values(), ids=list(NOT_ALL_PODS))
def test_nothing_is_released_by_a_list_that_is_not_all_pods(
    east: Cluster, fault: faults.Fault
) -> None:
    gone = east.assign("shop/web-0", uid="uid-gone")
    east.round()
    east.pass_time()
    east.kube.misbehave = faults.only("/pods", fault)
    with pytest.raises(api.ApiError):
        east.round()
    assert east.held() == {gone}
    east.kube.misbehave = None
    east.round()
    assert east.held() == set()


def test_a_list_of_many_pages_is_read_whole(east: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "PAGE_SIZE", 2)
    kept = {east.run_pod(f"shop/web-{at}") for at in range(7)}
    collect(east)
    assert (east.held(), east.suspects()) == (kept, set())
    assert len([path for path in east.kube.requests if "/pods" in path]) == 8


@pytest.mark.parametrize("failing", [1, 2, 3])
def test_nothing_is_released_by_a_part_of_the_pages(
    east: Cluster, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    monkeypatch.setattr(api, "PAGE_SIZE", 2)
    kept = {east.run_pod(f"shop/web-{at}") for at in range(7)}
    for fault in (faults.refusing(500), faults.truncating(), faults.refusing(410)):
        seen = [0]

        def late(
            handler: api_server.Handler, fault: faults.Fault = fault, seen: list[int] = seen
        ) -> None:
            seen[0] += 1
            if seen[0] > failing:
                fault(handler)
            else:
                handler.proceed()

        east.kube.misbehave = faults.only("/pods", late)
        with pytest.raises(api.ApiError):
            east.round()
    assert (east.held(), east.suspects()) == (kept, set())


def test_pages_of_two_moments_are_no_list(east: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "PAGE_SIZE", 2)
    kept = {east.run_pod(f"shop/web-{at}") for at in range(4)}

    def drift(handler: api_server.Handler) -> None:
        # As a server does that was asked to go on although the first moment is forgotten.
        item = {"metadata": {"name": "a", "namespace": "b", "uid": "c"}}
        version = {"resourceVersion": str(len(east.kube.requests)), "continue": "more"}
        handler.answer(200, page(metadata=version, items=[item]))

    east.kube.misbehave = faults.only("/pods", drift)
    with pytest.raises(api.ApiError, match="not of one moment"):
        east.round()
    assert east.suspects() == set()
    assert east.held() == kept


def test_the_list_is_asked_of_the_server_and_not_of_its_cache(east: Cluster) -> None:
    east.run_pod("shop/web-0")
    east.round()
    asked = [path for path in east.kube.requests if "/pods" in path]
    assert asked == ["/api/v1/pods?limit=500"]


def test_a_list_of_nodes_that_fails_deletes_none(east: Cluster) -> None:
    east.round()
    for fault in (faults.refusing(500), faults.truncating(), faults.answering(page())):
        east.kube.misbehave = faults.only("/nodes", fault)
        for _ in range(2):
            with pytest.raises(api.ApiError):
                east.round()
            east.pass_time()
    assert set(east.nodes()) == {"n1"}


def test_one_node_that_somebody_works_on_keeps_no_other_from_it(
    east: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    # calico#8643, #7839, #5218: one failing item ended the whole pass.
    east.kube.add_node("n2")
    stuck = east.assign("shop/a", uid="uid-a", container="stuck")
    east.assign("shop/b", uid="uid-b", node="n2")
    east.assign("shop/c", uid="uid-c")
    east.round()
    east.pass_time()
    with worked_on(east.database, "stuck"):
        east.round()
    assert east.held() == {stuck}
    assert "node n1: nothing could be done about container stuck on eth0" in caplog.text
    east.round()
    assert east.held() == set()


def test_one_node_whose_list_fails_keeps_no_other_from_it(
    east: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    east.kube.add_node("n2")
    kept = east.assign("shop/a", uid="uid-a", node="n1")
    east.assign("shop/b", uid="uid-b", node="n2")
    east.database.execute(
        "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'broken'; END $$"
    )
    east.database.execute(
        "CREATE TRIGGER broken BEFORE UPDATE ON allocations FOR EACH ROW"
        f" WHEN (OLD.address = '{kept}') EXECUTE FUNCTION broken()"
    )
    collect(east)
    assert east.held() == {kept}
    assert "cannot reconcile node n1: " in caplog.text


def test_the_token_that_was_renewed_is_used_at_once(east: Cluster) -> None:
    east.assign("shop/web-0", uid="uid-gone")
    east.round()
    east.kube.tokens = {"renewed"}
    with pytest.raises(api.ApiError, match="HTTP status 401"):
        east.round()
    (east.kube.directory / "token").write_text("renewed\n")
    east.pass_time()
    east.round()
    assert east.held() == set()


def test_a_client_certificate_serves_as_well(east: Cluster) -> None:
    file = east.kube.kubeconfig
    document = json.loads(file.read_text())
    document["users"][0]["user"] = {
        "client-certificate": "client.pem",
        "client-key": "client.key",
    }
    file.write_text(json.dumps(document))
    east.round()
    assert set(east.nodes()) == {"n1"}


@contextlib.contextmanager
def broken(east: Cluster, how: str) -> Iterator[None]:
    """The API server, or its certificate, is not what is expected."""
    ca = east.kube.directory / "ca.pem"
    right = ca.read_bytes()
    if how == "wrong CA":
        ca.write_bytes((east.kube.directory / "other-ca.pem").read_bytes())
    elif how == "expired certificate":
        east.kube.expired = True
    elif how == "silent":
        east.kube.misbehave = faults.silent()
        east.api._timeout = 0.3
    yield
    ca.write_bytes(right)
    east.kube.expired, east.kube.misbehave, east.api._timeout = False, None, 5


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("wrong CA", "certificate verify failed"),
        ("expired certificate", "certificate has expired"),
        ("silent", "time"),
    ],
)
def test_an_api_server_that_is_not_the_right_one_is_not_believed(
    east: Cluster, how: str, said: str
) -> None:
    gone = east.assign("shop/web-0", uid="uid-gone")
    east.round()
    east.pass_time()
    with broken(east, how), pytest.raises(api.ApiError, match=said):
        east.round()
    assert east.held() == {gone}
    east.round()
    assert east.held() == set()


def test_what_the_server_asked_for_is_known_of_a_429(east: Cluster) -> None:
    east.kube.misbehave = faults.refusing(429, retry_after=7)
    with pytest.raises(api.ApiError) as refusal:
        east.round()
    assert (refusal.value.status, refusal.value.retry_after) == (429, 7)


def test_an_outage_of_the_server_ends_a_round_and_the_next_goes_on(
    east: Cluster, server: serving.Serving
) -> None:
    east.assign("shop/web-0", uid="uid-gone")
    port = int(server.target.rpartition(":")[2])
    with in_front_of(port) as proxy, moorage.Client(proxy.target, timeout=0.5) as client:
        controller = Cluster(east.kube, client, east.database)
        controller.round()
        controller.pass_time()
        proxy.hold()
        with pytest.raises(moorage.Unavailable):
            controller.round()
        proxy.drop()
        controller.round()
    assert east.held() == set()


def test_two_controllers_that_both_act_do_no_harm(east: Cluster) -> None:
    kept = {east.run_pod(f"shop/web-{at}") for at in range(3)}
    for at in range(3):
        east.assign("shop/gone", uid=f"uid-gone-{at}")
    other = Cluster(east.kube, east.client, east.database)
    meet = threading.Barrier(2)

    def act(cluster: Cluster) -> None:
        meet.wait(20)
        cluster.round()

    for _ in range(2):
        threads = [threading.Thread(target=act, args=(each,)) for each in (east, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        east.pass_time()
    east.round()
    assert east.held() == kept
