"""Where pods are verified, a node has addresses for those alone that its cluster gave it."""

import pathlib
import time
from collections.abc import Callable, Iterator

import pytest

import moorage
from harness import calls, postgres, serving
from harness.kube import api_server, faults
from harness.kube.api_server import ApiServer
from moorage.v1 import resources_pb2
from moorage_server.api import cluster as clusters
from moorage_server.api.reloading import Unreadable

CLUSTER = "uid-of-kube-system"
NODE = {"common_name": "system:node:n1", "of": ["system:nodes"]}
MANUAL = resources_pb2.ASSIGNMENT_MODE_MANUAL
Certified = Callable[..., moorage.Client]


@pytest.fixture
def api(tmp_path: pathlib.Path) -> Iterator[ApiServer]:
    """The cluster: pod shop/web-0 is on n1, and bank/safe-0 on n2."""
    folder = tmp_path / "kubernetes"
    folder.mkdir()
    with api_server.serve(folder) as api:
        api.add("Namespace", "kube-system", uid=CLUSTER)
        api.add("Namespace", "shop", labels={"tier": "front"})
        api.add("Namespace", "bank", labels={"tier": "back"})
        api.add_pod("shop/web-0", uid="u-web-0", node="n1")
        api.add_pod("bank/safe-0", uid="u-safe-0", node="n2")
        api.granted = {("get", "", "pods"), ("get", "", "namespaces")}
        yield api


@pytest.fixture
def verifying(settings: dict[str, str], api: ApiServer) -> dict[str, str]:
    """Settings of a server that asks it."""
    return settings | {"pod_facts": "verified", "kubeconfig": str(api.kubeconfig)}


@pytest.fixture
def server(database: postgres.Database, verifying: dict[str, str]) -> Iterator[serving.Serving]:
    """Such a server."""
    with serving.in_process(database, access=verifying) as running:
        yield running


@pytest.fixture
def n1(server: serving.Serving, certified: Certified) -> moorage.Client:
    """A node's client of it; there is a pool for everybody, and one of the bank."""
    operator = certified(server, "op", common_name="op")
    calls.create_pool(operator, "all", "10.0.0.0/24", assignment_mode=MANUAL)
    calls.create_pool(operator, "banks", "10.0.1.0/24", allowed_namespaces=["bank"])
    # Whoever names no pool has an address of this one, if of any.
    calls.create_pool(operator, "fronts", "10.0.2.0/24", namespace_selector="tier == 'front'")
    return certified(server, "n1", **NODE)


def ask(
    client: moorage.Client,
    pod: str = "shop/web-0",
    *,
    uid: str = "",
    pools: tuple[str, ...] = ("all",),
    container: str = "",
    timeout: float = 10,
    owner_key: str = "",
    **workload: object,
) -> list[resources_pb2.Allocation]:
    """Addresses for "namespace/pod" on n1, of its own uid unless told otherwise."""
    namespace, _, name = pod.partition("/")
    return client.assign(
        calls.attachment(container or name or "c"),
        (calls.want(pools=pools),),
        workload=resources_pb2.Workload(
            node="n1",
            namespace=namespace,
            pod=name,
            pod_uid=uid or f"u-{name}",
            **workload,  # type: ignore[arg-type]  # checked by protobuf
        ),
        owner_key=owner_key,
        timeout=timeout,
    )


def refused(call: Callable[[], object]) -> str:
    """What a node is told; the same words for the same words."""
    with pytest.raises(moorage.Denied) as raised:
        call()
    assert raised.value.reason == "POD_NOT_VERIFIED"
    return raised.value.message


def test_a_node_has_addresses_for_its_own_pods(n1: moorage.Client) -> None:
    (held,) = ask(n1)
    # Of its cluster, though it has not said so.
    assert (held.workload.namespace, held.workload.cluster) == ("shop", CLUSTER)
    assert ask(n1) == [held]
    assert ask(n1, cluster=CLUSTER, container="another")


NOT_SO: list[dict[str, str]] = [
    {"pod": "bank/safe-0"},  # of another node
    {"pod": "bank/web-0"},  # of another namespace
    {"pod": "shop/absent"},
    {"uid": "u-of-before"},
    {"cluster": "another"},
    {"owner_key": "bank/safe-0"},
    {"pod": "shop/"},
    {"pod": "/web-0"},
    {"pod": ""},
]


def test_what_its_cluster_does_not_know_is_refused(n1: moorage.Client) -> None:
    for described in NOT_SO:
        refused(lambda described=described: ask(n1, **described))  # type: ignore[misc]
    assert list(n1.allocations()) == []


def test_it_is_not_told_what_there_is_elsewhere(n1: moorage.Client) -> None:
    there = refused(lambda: ask(n1, "bank/safe-0"))
    absent = refused(lambda: ask(n1, "bank/safe-1"))
    assert there.replace("safe-0", "safe-1") == absent


def test_no_name_leads_elsewhere_in_the_api(n1: moorage.Client, api: ApiServer) -> None:
    for name in ("shop/../../secrets/key", "shop/web-0?x=", "shop/web-0#", "shop/%2e%2e", "SHOP/a"):
        refused(lambda name=name: ask(n1, name, uid="u", container="c"))  # type: ignore[misc]
    asked = [path for path in api.requests if "kube-system" not in path]
    assert asked == []


@pytest.mark.parametrize(
    "made_up",
    [
        {"annotations": {"kubernetes.io/config.mirror": "u-fake"}},
        {
            "ownerReferences": [
                {"apiVersion": "v1", "kind": "Node", "name": "n1", "uid": "u-n1"},
            ]
        },
        {"deletionTimestamp": "2024-01-01T00:00:00Z"},
    ],
    ids=["mirror", "of its node", "being deleted"],
)
def test_what_a_node_can_bring_about_is_not_believed(
    n1: moorage.Client, api: ApiServer, made_up: dict[str, object]
) -> None:
    api.add_pod("bank/fake", uid="u-fake", node="n1")
    api.objects["/api/v1/namespaces/bank/pods/fake"]["metadata"] |= made_up  # type: ignore[operator]
    refused(lambda: ask(n1, "bank/fake", pools=("banks",)))


def test_a_pod_of_somebody_else_called_node_is_no_static_one(
    n1: moorage.Client, api: ApiServer
) -> None:
    owner = {"apiVersion": "example.org/v1", "kind": "Node", "name": "x", "uid": "u-x"}
    metadata = api.objects["/api/v1/namespaces/shop/pods/web-0"]["metadata"]
    metadata["ownerReferences"] = [owner]  # type: ignore[index]
    assert ask(n1)


def test_a_pod_may_be_asked_for_before_it_is_scheduled(n1: moorage.Client, api: ApiServer) -> None:
    api.add_pod("shop/new", uid="u-new")
    refused(lambda: ask(n1, "shop/new"))
    api.add_pod("shop/new", uid="u-new", node="n1")
    assert ask(n1, "shop/new")


def test_labels_are_those_that_the_cluster_knows(n1: moorage.Client) -> None:
    (held,) = ask(n1, pools=(), namespace_labels={"tier": "back"})
    assert held.pool == "vrfs/default/pools/fronts"


def test_nodes_cannot_make_labels_up(n1: moorage.Client, api: ApiServer) -> None:
    api.add("Namespace", "dark", labels={"tier": "back"})
    api.add_pod("dark/desk-0", uid="u-desk-0", node="n1")
    with pytest.raises(moorage.Conflict) as raised:
        ask(n1, "dark/desk-0", pools=(), namespace_labels={"tier": "front"})
    assert raised.value.reason == "NO_ELIGIBLE_POOL"


def test_an_owner_key_is_of_its_namespace(n1: moorage.Client) -> None:
    (held,) = ask(n1, owner_key="shop/web")
    assert held.owner_key == "shop/web"


def test_a_tunnel_is_for_the_node_itself(n1: moorage.Client) -> None:
    tunnel = calls.attachment("tunnel")
    use = resources_pb2.USE_TUNNEL
    own = resources_pb2.Workload(node="n1", namespace_labels={"tier": "front"})
    (held,) = n1.assign(tunnel, (calls.want(pools=("all",)),), workload=own, use=use)
    assert held.workload.cluster == CLUSTER
    with pytest.raises(moorage.Denied) as raised:
        n1.assign(calls.attachment("t"), (calls.want(pools=("banks",)),), workload=own, use=use)
    assert raised.value.reason == "NAMESPACE_NOT_GRANTED"
    for workload, owner_key in (
        (resources_pb2.Workload(node="n1", namespace="bank"), ""),
        (resources_pb2.Workload(node="n1"), "bank/safe-0"),
        (resources_pb2.Workload(node="n1", cluster="another"), ""),
    ):
        refused(
            lambda workload=workload, owner_key=owner_key: n1.assign(  # type: ignore[misc]
                calls.attachment("other"),
                (calls.want(),),
                workload=workload,
                use=use,
                owner_key=owner_key,
            )
        )


def test_others_than_nodes_are_believed(server: serving.Serving, certified: Certified) -> None:
    operator = certified(server, "op", common_name="op")
    calls.create_pool(operator, "p", "10.0.0.0/24")
    assert calls.assign(operator, "machine", node="n9")


def test_one_of_the_same_name_is_known_at_once(n1: moorage.Client, api: ApiServer) -> None:
    assert ask(n1)
    api.add_pod("shop/web-0", uid="u-new", node="n1")
    assert ask(n1, uid="u-new", container="new")


GARBLED = [
    faults.refusing(500),
    faults.refusing(403),
    faults.truncating(),
    faults.answering(b"<html>"),
    faults.answering(b"<html>", 502),
    faults.answering(b"[]"),
    faults.answering(b'{"metadata": 3}'),
]


def test_what_cannot_be_asked_changes_nothing_and_is_worth_another_try(
    n1: moorage.Client, api: ApiServer
) -> None:
    for fault in GARBLED:
        api.misbehave = faults.only("/pods/", fault)
        with pytest.raises(moorage.Unavailable) as raised:
            ask(n1, timeout=0.3)
        assert raised.value.reason == "KUBERNETES_UNAVAILABLE"
        assert not raised.value.in_doubt
    api.misbehave = None
    assert ask(n1)


def test_a_cluster_that_says_nothing_holds_nobody_for_long(
    n1: moorage.Client, api: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clusters, "TIMEOUT", 0.2)
    api.misbehave = faults.only("/pods/", faults.silent())
    with pytest.raises(moorage.Unavailable) as raised:
        ask(n1, timeout=1.5)
    assert raised.value.reason == "KUBERNETES_UNAVAILABLE"


@pytest.mark.parametrize("code", [503, 404], ids=["away", "no API server"])
def test_a_server_starts_without_its_cluster(
    database: postgres.Database,
    verifying: dict[str, str],
    certified: Certified,
    api: ApiServer,
    code: int,
) -> None:
    api.misbehave = faults.refusing(code)
    with serving.in_process(database, access=verifying) as server:
        operator = certified(server, "op", common_name="op")
        calls.create_pool(operator, "all", "10.0.0.0/24")
        node = certified(server, "n1", **NODE)
        with pytest.raises(moorage.Unavailable) as raised:
            ask(node, timeout=0.5)
        assert raised.value.reason == "KUBERNETES_UNAVAILABLE"
        api.misbehave = None
        assert ask(node)


def test_a_deadline_ends_the_question(n1: moorage.Client, api: ApiServer) -> None:
    api.misbehave = faults.only("/pods/", faults.silent())
    began = time.monotonic()
    with pytest.raises(moorage.Unavailable) as raised:
        ask(n1, timeout=1)
    assert raised.value.reason == "KUBERNETES_UNAVAILABLE"
    assert time.monotonic() - began < clusters.TIMEOUT


def test_a_node_does_not_claim_many_things_that_are_not_so(n1: moorage.Client) -> None:
    told = set()
    for at in range(clusters.UNTRUE.at_once + 10):
        with pytest.raises(moorage.MoorageError) as raised:
            ask(n1, uid=f"u-{at}", timeout=0.2)
        told.add(raised.value.reason)
    assert told == {"POD_NOT_VERIFIED", "SERVER_BUSY"}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda text: text.replace("https://", "http://"), "not verified"),
        (
            lambda text: text.replace(
                '"certificate-authority": "ca.pem"', '"insecure-skip-tls-verify": true'
            ),
            "not verified",
        ),
        (lambda _: "", "kubeconfig"),
        (lambda _: "clusters: [", "kubeconfig"),
        (lambda text: text.replace('"user": "u"', '"user": "x"'), "kubeconfig"),
        (lambda text: text.replace("ca.pem", "absent.pem"), "kubeconfig"),
    ],
    ids=["http", "insecure", "empty", "no YAML", "no user", "no authorities"],
)
def test_a_kubeconfig_that_cannot_be_meant_is_refused_at_once(
    database: postgres.Database,
    verifying: dict[str, str],
    change: Callable[[str], str],
    why: str,
) -> None:
    path = pathlib.Path(verifying["kubeconfig"])
    path.write_text(change(path.read_text()))
    with (
        pytest.raises(Unreadable, match=why),
        serving.in_process(database, access=verifying),
    ):
        pass


def test_releases_need_no_cluster(n1: moorage.Client, api: ApiServer) -> None:
    (held,) = ask(n1)
    api.misbehave = faults.refusing(503)
    assert calls.release(n1, "web-0") == [held.address]
