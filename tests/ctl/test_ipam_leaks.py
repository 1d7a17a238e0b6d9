"""Which addresses are leaked, by the pods that kubectl lists."""

import ipaddress
import json
import pathlib

import pytest
from google.protobuf import timestamp_pb2

from moorage.ctl import exits
from moorage.ctl.ipam import leaks, pods
from moorage.v1 import resources_pb2

ADDRESS = "10.0.0.5"
CART = ("shop", "cart")


def held(
    address: str = ADDRESS,
    *,
    container: str = "c1",
    interface: str = "eth0",
    namespace: str = "shop",
    pod: str = "cart",
    node: str = "n1",
    use: resources_pb2.Use.ValueType = resources_pb2.USE_WORKLOAD,
    network: str = "net",
    assigned: int = 0,
) -> resources_pb2.Allocation:
    """An allocation of the pod shop/cart on n1."""
    return resources_pb2.Allocation(
        address=address,
        attachment=resources_pb2.Attachment(
            network=network, container_id=container, interface=interface
        ),
        assign_time=timestamp_pb2.Timestamp(seconds=assigned),
        workload=resources_pb2.Workload(node=node, namespace=namespace, pod=pod),
        use=use,
    )


def running(*addresses: str, node: str = "n1", phase: str = "Running") -> pods.Pod:
    """A pod on n1."""
    known = frozenset(map(ipaddress.ip_address, addresses))
    return pods.Pod(node=node, phase=phase, addresses=known, shows_all=bool(known))


JUDGEMENTS = [
    ("has the address", held(), running(ADDRESS), None),
    ("has it among others", held(), running("10.0.0.9", ADDRESS), None),
    ("spells it otherwise", held("fd00::5"), running("fd00:0:0::5"), None),
    ("has no addresses yet", held(), running(phase="Pending"), None),
    ("is on no node yet", held(), running(ADDRESS, node=""), None),
    ("no node was recorded", held(node=""), running(ADDRESS, node="n2"), None),
    ("is absent", held(), None, "the pod is not there"),
    ("has it elsewhere", held(), running(ADDRESS, node="n2"), None),
    ("is elsewhere", held(), running(node="n2"), "the pod is on node n2"),
    ("has another elsewhere", held(), running("10.0.0.9", node="n2"), "the pod is on node n2"),
    ("succeeded", held(), running(ADDRESS, phase="Succeeded"), "the pod has ended: Succeeded"),
    ("failed", held(), running(ADDRESS, phase="Failed"), "the pod has ended: Failed"),
    (
        "has others",
        held(),
        running("10.0.0.10", "10.0.0.9"),
        "the pod has other addresses: 10.0.0.10, 10.0.0.9",
    ),
]


@pytest.mark.parametrize(
    ("allocation", "pod", "reason"),
    [pytest.param(*row[1:], id=row[0]) for row in JUDGEMENTS],
)
def test_an_address_is_leaked_by_what_its_pod_is(
    allocation: resources_pb2.Allocation, pod: pods.Pod | None, reason: str | None
) -> None:
    judgement = leaks.judge([allocation], {CART: pod} if pod else {})
    assert [leak.reason for leak in judgement.leaks] == ([reason] if reason else [])
    assert judgement.not_judged_count == 0


@pytest.mark.parametrize(
    "allocation",
    [
        held(namespace=""),
        held(pod=""),
        held(use=resources_pb2.USE_TUNNEL),
        held(use=resources_pb2.USE_LOAD_BALANCER),
        *(
            held(network=f"calico-{kind}")
            for kind in ("vms", "tunnels", "load-balancers", "windows", "unknown")
        ),
    ],
)
def test_what_is_of_no_pod_is_not_judged_but_counted(allocation: resources_pb2.Allocation) -> None:
    judgement = leaks.judge([allocation], {})
    assert (list(judgement.leaks), judgement.not_judged_count) == ([], 1)


def test_an_address_of_a_pod_that_calico_kept_by_its_name_is_judged() -> None:
    assert len(leaks.judge([held(network="calico-legacy")], {}).leaks) == 1


@pytest.mark.parametrize(("phase", "count"), [("Running", 0), ("Pending", 0), ("Failed", 1)])
def test_an_address_that_another_pod_shows_is_not_leaked(phase: str, count: int) -> None:
    moved = {("shop", "launcher"): running(ADDRESS, node="n2", phase=phase)}
    assert len(leaks.judge([held()], moved).leaks) == count


def test_what_was_assigned_too_lately_is_not_judged_but_counted() -> None:
    allocations = [held(assigned=99), held("10.0.0.6", container="c2", assigned=100)]
    judgement = leaks.judge(allocations, {}, assigned_before=100)
    assert [leak.allocation.address for leak in judgement.leaks] == [ADDRESS]
    assert (judgement.not_judged_count, judgement.young_count) == (0, 1)
    assert len(leaks.judge(allocations, {}).leaks) == 2


def test_no_address_of_an_attachment_with_a_valid_one_is_leaked() -> None:
    both = [held(), held("fd00::5")]
    assert not leaks.judge(both, {CART: running(ADDRESS)}).leaks
    found = leaks.judge(both, {CART: running("10.0.0.9")}).leaks
    assert [leak.allocation.address for leak in found] == [ADDRESS, "fd00::5"]


@pytest.mark.parametrize(
    "other", [held("10.0.0.4", container="c0"), held("10.0.0.4", interface="net1")]
)
def test_another_attachment_of_the_pod_is_judged_by_itself(
    other: resources_pb2.Allocation,
) -> None:
    found = leaks.judge([held(), other], {CART: running(ADDRESS)}).leaks
    assert [leak.allocation.address for leak in found] == ["10.0.0.4"]


def pod(**fields: object) -> dict[str, object]:
    """A pod as the API has it."""
    return {"kind": "Pod", "metadata": {"namespace": "shop", "name": "cart"}, **fields}


def listed(tmp_path: pathlib.Path, *items: object) -> dict[pods.Key, pods.Pod]:
    """What is read from a list of pods."""
    file = tmp_path / "pods.json"
    file.write_text(json.dumps({"kind": "List", "items": items}))
    return pods.read(str(file))


def test_a_pod_is_read_with_its_node_phase_and_addresses(tmp_path: pathlib.Path) -> None:
    status = {"phase": "Running", "podIP": ADDRESS, "podIPs": [{"ip": ADDRESS}, {"ip": "fd00::5"}]}
    found = listed(tmp_path, pod(spec={"nodeName": "n1"}, status=status))
    assert found == {CART: running(ADDRESS, "fd00::5")}


def test_a_pod_that_has_just_been_made_has_nothing_yet(tmp_path: pathlib.Path) -> None:
    assert listed(tmp_path, pod()) == {CART: pods.Pod()}


def test_an_old_cluster_gives_one_address(tmp_path: pathlib.Path) -> None:
    for spelling in (ADDRESS, f"::ffff:{ADDRESS}"):
        assert listed(tmp_path, pod(status={"podIP": spelling})) == {
            CART: pods.Pod(addresses=frozenset({ipaddress.ip_address(ADDRESS)}), shows_all=True)
        }


def annotated(status: str) -> dict[str, object]:
    """The metadata of a pod with several interfaces."""
    annotations = {"k8s.v1.cni.cncf.io/network-status": status}
    return {"namespace": "shop", "name": "cart", "annotations": annotations}


def test_the_addresses_of_further_interfaces_count(tmp_path: pathlib.Path) -> None:
    networks = [{"name": "a", "ips": [ADDRESS]}, {"name": "b", "ips": ["10.9.0.1"]}, {"name": "c"}]
    metadata = annotated(json.dumps(networks))
    found = listed(tmp_path, pod(metadata=metadata, status={"podIP": ADDRESS}))
    assert found[CART].addresses == {
        ipaddress.ip_address(ADDRESS),
        ipaddress.ip_address("10.9.0.1"),
    }


@pytest.mark.parametrize("status", ["nonsense", "7", '["a"]', '[{"ips": ["nowhere"]}]'])
def test_addresses_of_further_interfaces_that_nobody_understands_are_not_known(
    tmp_path: pathlib.Path, status: str
) -> None:
    found = listed(tmp_path, pod(metadata=annotated(status), status={"podIP": ADDRESS}))
    assert found[CART].addresses == {ipaddress.ip_address(ADDRESS)}
    assert not found[CART].shows_all
    assert not leaks.judge([held("10.0.0.7")], found).leaks


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        '{"kind": "List"}',
        '{"kind": "List", "items": {}}',
        '{"kind": "NodeList", "items": []}',
        '{"kind": "List", "items": []}',
        '{"kind": "List", "items": [1]}',
        '{"kind": "List", "items": [{"kind": "Node", "metadata": {"name": "n1"}}]}',
        '{"kind": "List", "items": [{"kind": "Pod", "metadata": {"name": "no-namespace"}}]}',
        '{"kind": "List", "items": [{"metadata": {"namespace": "a", "name": "b"}, "status": 7}]}',
        '{"kind": "List", "items": [{"metadata": {"namespace": "a", "name": "b"}, '
        '"status": {"podIPs": [{"ip": "no address"}]}}]}',
    ],
)
def test_anything_but_a_list_of_pods_is_refused(tmp_path: pathlib.Path, text: str) -> None:
    file = tmp_path / "pods.json"
    file.write_text(text)
    with pytest.raises(exits.Failed) as failed:
        pods.read(str(file))
    assert failed.value.report.exit == exits.Exit.USAGE
    assert str(file) in failed.value.report.message


def test_a_file_that_is_not_there_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(exits.Failed, match="No such file"):
        pods.read(str(tmp_path / "none.json"))
