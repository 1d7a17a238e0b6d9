"""PoolService: pages, tokens and label filters."""

import grpc
import pytest

from api import pool_requests, refusals
from api.pool_requests import create
from moorage.v1 import node_service_pb2 as node_messages
from moorage.v1 import node_service_pb2_grpc, resources_pb2
from moorage.v1 import pool_service_pb2 as messages
from moorage_server.api import page_tokens

TOLD: tuple[grpc.StatusCode, str, dict[str, str]] = (
    grpc.StatusCode.INVALID_ARGUMENT,
    "PAGE_TOKEN_MISMATCH",
    {},
)


@pytest.fixture
def pools(channel: grpc.Channel) -> pool_requests.Stub:
    """Five pools, a to e; all but c carry tier=web."""
    stub = pool_requests.Stub(channel)
    for at, pool_id in enumerate("daecb"):
        labels = {"tier": "db" if pool_id == "c" else "web", "id": pool_id}
        create(stub, pool_id, f"10.0.{at}.0/24", labels=labels)
    return stub


def walk(pools: pool_requests.Stub, request: messages.ListPoolsRequest) -> list[list[str]]:
    """The ids on every page until the last."""
    pages: list[list[str]] = []
    while not pages or request.page_token:
        page = pools.ListPools(request)
        pages.append([each.labels["id"] for each in page.pools])
        request.page_token = page.next_page_token
    return pages


def test_every_pool_is_on_one_page_in_order_of_id(pools: pool_requests.Stub) -> None:
    assert walk(pools, messages.ListPoolsRequest(page_size=2)) == [["a", "b"], ["c", "d"], ["e"]]
    assert walk(pools, messages.ListPoolsRequest(page_size=5)) == [["a", "b", "c", "d", "e"]]
    assert walk(pools, messages.ListPoolsRequest(page_size=100_000)) == [list("abcde")]
    assert walk(pools, messages.ListPoolsRequest()) == [list("abcde")]


def test_all_labels_must_match(pools: pool_requests.Stub) -> None:
    web = messages.ListPoolsRequest(page_size=3, labels={"tier": "web"})
    assert walk(pools, web) == [["a", "b", "d"], ["e"]]
    one = messages.ListPoolsRequest(labels={"tier": "web", "id": "b"})
    assert walk(pools, one) == [["b"]]
    assert walk(pools, messages.ListPoolsRequest(labels={"tier": "x"})) == [[]]


def test_a_page_may_change_its_size_and_its_start_may_vanish(pools: pool_requests.Stub) -> None:
    request = messages.ListPoolsRequest(page_size=1)
    request.page_token = pools.ListPools(request).next_page_token
    pools.DeletePool(messages.DeletePoolRequest(name=pool_requests.name("a")))
    request.page_size = 3
    assert [each.labels["id"] for each in pools.ListPools(request).pools] == ["b", "c", "d"]


def test_a_token_belongs_to_its_listing_and_filter(
    pools: pool_requests.Stub, channel: grpc.Channel
) -> None:
    nodes = node_service_pb2_grpc.NodeServiceStub(channel)
    for node_id in ("n1", "n2"):
        node = resources_pb2.Node(name=f"vrfs/default/nodes/{node_id}")
        nodes.UpsertNode(node_messages.UpsertNodeRequest(node=node))
    listed = nodes.ListNodes(node_messages.ListNodesRequest(page_size=1))
    token = pools.ListPools(messages.ListPoolsRequest(page_size=1)).next_page_token
    for request in (
        messages.ListPoolsRequest(page_token=listed.next_page_token),
        messages.ListPoolsRequest(page_token=token, labels={"tier": "web"}),
        messages.ListPoolsRequest(page_token=token, parent="vrfs/default"),
        messages.ListPoolsRequest(page_token=token[:-1]),
        messages.ListPoolsRequest(page_token="!"),
        messages.ListPoolsRequest(page_token="_____w"),
        messages.ListPoolsRequest(page_token="é"),
        messages.ListPoolsRequest(page_token="x" * 1025),
    ):
        assert refusals.of(pools.ListPools, request).told() == TOLD


def test_a_made_up_token_does_no_harm(pools: pool_requests.Stub) -> None:
    forged = page_tokens.encode(messages.ListPoolsRequest(), "\x00")
    refusal = refusals.of(pools.ListPools, messages.ListPoolsRequest(page_token=forged))
    assert refusal.reason == "INVALID_REQUEST"
    assert set(refusal.fields) == {"page_token"}
