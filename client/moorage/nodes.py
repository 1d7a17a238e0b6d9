"""The calls that keep the labels of nodes."""

from collections.abc import Iterator, Mapping

import grpc

from moorage import calls, names
from moorage.v1 import node_service_pb2, node_service_pb2_grpc, resources_pb2


class Nodes(calls.Calls):
    """Nodes."""

    def __init__(self, channel: grpc.Channel, timeout: float) -> None:
        super().__init__(channel, timeout)
        self._nodes = node_service_pb2_grpc.NodeServiceStub(channel)

    def upsert_node(
        self,
        node: resources_pb2.Node,
        *,
        validate_only: bool = False,
        timeout: float | None = None,
    ) -> resources_pb2.Node:
        """Record the labels of a node in place of those it had; its name says which node."""
        request = node_service_pb2.UpsertNodeRequest(node=node, validate_only=validate_only)
        return self._call(self._nodes.UpsertNode, request, timeout).node

    def get_node(
        self, node: str, *, vrf: str = names.DEFAULT_VRF, timeout: float | None = None
    ) -> resources_pb2.Node:
        """Return one node."""
        request = node_service_pb2.GetNodeRequest(name=names.node(node, vrf))
        return self._call(self._nodes.GetNode, request, timeout).node

    def nodes(
        self,
        *,
        labels: Mapping[str, str] | None = None,
        vrf: str = names.DEFAULT_VRF,
        page_size: int = 0,
        timeout: float | None = None,
    ) -> Iterator[resources_pb2.Node]:
        """List nodes by id, those alone that carry all of `labels`."""
        request = node_service_pb2.ListNodesRequest(
            parent=names.vrf(vrf), page_size=page_size, labels=labels
        )
        for page in self._pages(self._nodes.ListNodes, request, timeout):
            yield from page.nodes

    def delete_node(
        self,
        node: str,
        *,
        etag: str = "",
        vrf: str = names.DEFAULT_VRF,
        validate_only: bool = False,
        timeout: float | None = None,
    ) -> None:
        """Forget a node's labels; see `delete_pool`."""
        request = node_service_pb2.DeleteNodeRequest(
            name=names.node(node, vrf), etag=etag, validate_only=validate_only
        )
        self._delete(self._nodes.DeleteNode, request, timeout, validate_only=validate_only)
