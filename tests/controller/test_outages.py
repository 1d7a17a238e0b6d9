"""What goes wrong around a round: nothing live is released by it, and nothing else is stopped."""

import contextlib
import json
import threading
from collections.abc import Iterator

import pytest

import moorage
from controller.ground import Cluster
from harness import serving
from harness.kube import api_server, faults
from harness.proxy import in_front_of
from harness.reconciling import worked_on
from moorage import kube as api


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
    east.collect()
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
    east.collect()
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
