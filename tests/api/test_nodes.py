"""NodeService, through a real channel."""

import grpc
import pytest

from api import refusals
from harness import serving
from moorage.v1 import node_service_pb2 as messages
from moorage.v1 import node_service_pb2_grpc, resources_pb2

Node = resources_pb2.Node


@pytest.fixture
def nodes(channel: grpc.Channel) -> node_service_pb2_grpc.NodeServiceStub:
    return node_service_pb2_grpc.NodeServiceStub(channel)


def upsert(
    nodes: node_service_pb2_grpc.NodeServiceStub, name: str, labels: dict[str, str] | None = None
) -> Node:
    node = Node(name=f"vrfs/default/nodes/{name}", labels=labels)
    return nodes.UpsertNode(messages.UpsertNodeRequest(node=node)).node


def test_a_node_is_recorded_and_returned(nodes: node_service_pb2_grpc.NodeServiceStub) -> None:
    made = upsert(nodes, "n1.example", {"zone": "east"})
    assert (made.name, dict(made.labels)) == ("vrfs/default/nodes/n1.example", {"zone": "east"})
    assert made.etag
    assert made.create_time.seconds > 0
    assert nodes.GetNode(messages.GetNodeRequest(name=made.name)).node == made


def test_labels_are_replaced_and_the_node_keeps_its_creation(
    nodes: node_service_pb2_grpc.NodeServiceStub,
) -> None:
    made = upsert(nodes, "n1", {"zone": "east", "rack": "r1"})
    after = upsert(nodes, "n1", {"zone": "west"})
    assert dict(after.labels) == {"zone": "west"}
    assert after.etag != made.etag
    assert after.create_time == made.create_time
    assert after.update_time.ToNanoseconds() > made.update_time.ToNanoseconds()


def test_the_same_labels_again_change_nothing(
    nodes: node_service_pb2_grpc.NodeServiceStub, server: serving.Serving
) -> None:
    made = upsert(nodes, "n1", {"zone": "east", "rack": "r1"})
    row = "SELECT ctid FROM nodes"
    before = server.database.scalar(row)
    assert upsert(nodes, "n1", {"rack": "r1", "zone": "east"}) == made
    assert server.database.scalar(row) == before


def test_nodes_do_not_outdate_the_catalog(
    nodes: node_service_pb2_grpc.NodeServiceStub, server: serving.Serving
) -> None:
    before = server.database.scalar("SELECT catalog_version FROM vrfs")
    upsert(nodes, "n1")
    nodes.DeleteNode(messages.DeleteNodeRequest(name="vrfs/default/nodes/n1"))
    assert server.database.scalar("SELECT catalog_version FROM vrfs") == before


def test_a_deleted_node_is_gone(nodes: node_service_pb2_grpc.NodeServiceStub) -> None:
    made = upsert(nodes, "n1")
    name = made.name
    nodes.DeleteNode(messages.DeleteNodeRequest(name=name, etag=made.etag))
    told = (grpc.StatusCode.NOT_FOUND, "NODE_NOT_FOUND", {"vrf": "default", "node": "n1"})
    assert refusals.of(nodes.GetNode, messages.GetNodeRequest(name=name)).told() == told
    assert refusals.of(nodes.DeleteNode, messages.DeleteNodeRequest(name=name)).told() == told


def test_an_old_etag_keeps_a_node(nodes: node_service_pb2_grpc.NodeServiceStub) -> None:
    made = upsert(nodes, "n1")
    upsert(nodes, "n1", {"zone": "east"})
    delete = messages.DeleteNodeRequest(name=made.name, etag=made.etag)
    told = (grpc.StatusCode.ABORTED, "ETAG_MISMATCH", {"resource": made.name})
    assert refusals.of(nodes.DeleteNode, delete).told() == told


def test_a_vrf_that_is_not_there_has_no_nodes(
    nodes: node_service_pb2_grpc.NodeServiceStub,
) -> None:
    node = Node(name="vrfs/red/nodes/n1")
    vrf_not_found = (grpc.StatusCode.NOT_FOUND, "VRF_NOT_FOUND", {"vrf": "red"})
    upserted = refusals.of(nodes.UpsertNode, messages.UpsertNodeRequest(node=node))
    assert upserted.told() == vrf_not_found
    listed = refusals.of(nodes.ListNodes, messages.ListNodesRequest(parent="vrfs/red"))
    assert listed.told() == vrf_not_found
    got = refusals.of(nodes.GetNode, messages.GetNodeRequest(name="vrfs/red/nodes/n1"))
    assert got.told() == (
        grpc.StatusCode.NOT_FOUND,
        "NODE_NOT_FOUND",
        {"vrf": "red", "node": "n1"},
    )


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (messages.UpsertNodeRequest(), ["node.name"]),
        (messages.UpsertNodeRequest(node=Node(name="n1")), ["node.name"]),
        (messages.UpsertNodeRequest(node=Node(name="vrfs/default/pools/n1")), ["node.name"]),
        (messages.UpsertNodeRequest(node=Node(name="vrfs/default/nodes/N_1")), ["node.name"]),
        (messages.UpsertNodeRequest(node=Node(name="vrfs/D/nodes/a/b")), ["node.name"] * 2),
        (
            messages.UpsertNodeRequest(
                node=Node(name="vrfs/default/nodes/n1", labels={str(at): "" for at in range(1025)})
            ),
            ["node.labels"],
        ),
        (
            messages.UpsertNodeRequest(
                node=Node(name="vrfs/default/nodes/n1", labels={"k" * 318: "v" * 257})
            ),
            ["node.labels key", f"node.labels[{'k' * 80}]"],
        ),
        (messages.GetNodeRequest(), ["name"]),
        (messages.GetNodeRequest(name="vrfs/default/nodes/\x00"), ["name"] * 2),
        (messages.DeleteNodeRequest(name="vrfs/default/nodes/"), ["name"]),
        (messages.ListNodesRequest(parent="default", page_size=-5), ["parent", "page_size"]),
        (messages.ListNodesRequest(labels={str(at): "" for at in range(33)}), ["labels"]),
    ],
)
def test_a_malformed_request_is_refused_with_every_field(
    unchanged: grpc.Channel,
    request_: messages.UpsertNodeRequest
    | messages.GetNodeRequest
    | messages.ListNodesRequest
    | messages.DeleteNodeRequest,
    fields: list[str],
) -> None:
    method = request_.DESCRIPTOR.name.removesuffix("Request")
    refusal = refusals.of(
        getattr(node_service_pb2_grpc.NodeServiceStub(unchanged), method), request_
    )
    assert refusal.told() == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", {})
    assert refusal.fields == fields


def test_the_longest_labels_are_admitted(nodes: node_service_pb2_grpc.NodeServiceStub) -> None:
    labels = {f"{at:0317}": "v" * 256 for at in range(1024)}
    assert upsert(nodes, "n" * 253, labels).labels == labels


def test_pages_are_in_order_and_filtered_by_labels(
    nodes: node_service_pb2_grpc.NodeServiceStub,
) -> None:
    for name in ("n3", "n1", "n4", "n2"):
        upsert(nodes, name, {"zone": "west" if name == "n4" else "east", "name": name})
    request = messages.ListNodesRequest(labels={"zone": "east"}, page_size=2)
    first = nodes.ListNodes(request)
    assert [each.labels["name"] for each in first.nodes] == ["n1", "n2"]
    request.page_token, request.page_size = first.next_page_token, 1
    last = nodes.ListNodes(request)
    assert [each.labels["name"] for each in last.nodes] == ["n3"]
    assert last.next_page_token == ""
    request.labels["zone"] = "west"
    refusal = refusals.of(nodes.ListNodes, request)
    assert refusal.told() == (grpc.StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_MISMATCH", {})


def test_a_page_ends_before_it_is_too_large_for_a_message(
    nodes: node_service_pb2_grpc.NodeServiceStub, server: serving.Serving
) -> None:
    server.database.execute(
        "INSERT INTO nodes (vrf_id, name, labels) SELECT 1, 'n' || at,"
        " (SELECT jsonb_object_agg(lpad(key::text, 317, '0'), repeat('v', 256))"
        "  FROM generate_series(1, 128) AS key) FROM generate_series(1000, 1079) AS at"
    )
    request = messages.ListNodesRequest(page_size=1000)
    sizes: list[int] = []
    names: list[str] = []
    while not sizes or request.page_token:
        page = nodes.ListNodes(request)
        sizes.append(len(page.nodes))
        names += [each.name for each in page.nodes]
        request.page_token = page.next_page_token
    assert names == [f"vrfs/default/nodes/n{at}" for at in range(1000, 1080)]
    assert sizes == [28, 28, 24]
