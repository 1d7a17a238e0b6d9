"""VrfService: administration of VRFs."""

from moorage.v1 import vrf_service_pb2 as messages
from moorage.v1 import vrf_service_pb2_grpc
from moorage_server.api import acting, decode_vrfs, encode_resources, listings
from moorage_server.api.desk import Context, Desk
from moorage_server.usecases import vrfs


class VrfService(vrf_service_pb2_grpc.VrfServiceServicer):
    """Decodes, calls a use case, encodes."""

    def __init__(self, desk: Desk) -> None:
        """Takes what every service shares."""
        self._desk = desk

    async def CreateVrf(
        self, request: messages.CreateVrfRequest, context: Context
    ) -> messages.CreateVrfResponse:
        """Creates a VRF."""
        vrf = decode_vrfs.new_vrf(request)
        by = acting.act(context)
        stored = await self._desk.change(request, context, vrfs.create, vrf, by=by)
        return messages.CreateVrfResponse(vrf=encode_resources.vrf(stored))

    async def GetVrf(
        self, request: messages.GetVrfRequest, context: Context
    ) -> messages.GetVrfResponse:
        """Shows one VRF."""
        target = decode_vrfs.vrf_target(request.name)
        stored = await self._desk.run(context, vrfs.get, target.name)
        return messages.GetVrfResponse(vrf=encode_resources.vrf(stored))

    async def ListVrfs(
        self, request: messages.ListVrfsRequest, context: Context
    ) -> messages.ListVrfsResponse:
        """Lists VRFs in order of id."""
        page = listings.page(request)
        listed, more = await self._desk.run(
            context, vrfs.page, labels=page.labels, after=page.after, size=page.size
        )
        page_shown, token = listings.shown(request, listed, encode_resources.vrf, more=more)
        return messages.ListVrfsResponse(vrfs=page_shown, next_page_token=token)

    async def UpdateVrf(
        self, request: messages.UpdateVrfRequest, context: Context
    ) -> messages.UpdateVrfResponse:
        """Changes the fields that the mask names."""
        target, change = decode_vrfs.vrf_change(request)
        by = acting.act(context)
        stored = await self._desk.change(request, context, vrfs.update, target, change, by=by)
        return messages.UpdateVrfResponse(vrf=encode_resources.vrf(stored))

    async def DeleteVrf(
        self, request: messages.DeleteVrfRequest, context: Context
    ) -> messages.DeleteVrfResponse:
        """Deletes a VRF without pools."""
        target = decode_vrfs.vrf_target(request.name, request.etag)
        by = acting.act(context)
        await self._desk.change(request, context, vrfs.delete, target, by=by)
        return messages.DeleteVrfResponse()
