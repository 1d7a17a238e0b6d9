"""NodeService: the labels of nodes."""

from moorage.v1 import node_service_pb2 as messages
from moorage.v1 import node_service_pb2_grpc
from moorage_server.api import acting, decode_resources, encode_resources, listings, names
from moorage_server.api.desk import Context, Desk
from moorage_server.usecases import nodes


class NodeService(node_service_pb2_grpc.NodeServiceServicer):
    """Decodes, calls a use case, encodes."""

    def __init__(self, desk: Desk) -> None:
        """Takes what every service shares."""
        self._desk = desk

    async def UpsertNode(
        self, request: messages.UpsertNodeRequest, context: Context
    ) -> messages.UpsertNodeResponse:
        """Records a node's labels."""
        node = decode_resources.node(request)
        by = acting.act(context)
        stored = await self._desk.change(request, context, nodes.upsert, node, by=by)
        return messages.UpsertNodeResponse(node=encode_resources.node(stored))

    async def GetNode(
        self, request: messages.GetNodeRequest, context: Context
    ) -> messages.GetNodeResponse:
        """Shows one node."""
        target = decode_resources.target(request.name, names.NODES)
        stored = await self._desk.run(context, nodes.get, target.vrf, target.name)
        return messages.GetNodeResponse(node=encode_resources.node(stored))

    async def ListNodes(
        self, request: messages.ListNodesRequest, context: Context
    ) -> messages.ListNodesResponse:
        """Lists nodes in order of id."""
        vrf, page = listings.page_of_vrf(request)
        listed, more = await self._desk.run(
            context, nodes.page, vrf, labels=page.labels, after=page.after, size=page.size
        )
        page_shown, token = listings.shown(request, listed, encode_resources.node, more=more)
        return messages.ListNodesResponse(nodes=page_shown, next_page_token=token)

    async def DeleteNode(
        self, request: messages.DeleteNodeRequest, context: Context
    ) -> messages.DeleteNodeResponse:
        """Forgets a node's labels."""
        target = decode_resources.target(request.name, names.NODES, request.etag)
        by = acting.act(context)
        await self._desk.change(request, context, nodes.delete, target, by=by)
        return messages.DeleteNodeResponse()
