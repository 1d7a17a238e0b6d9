"""AdminService: looking after the whole of a VRF."""

import contextlib
import dataclasses
from collections.abc import AsyncIterator

import structlog

from moorage.v1 import admin_service_pb2 as messages
from moorage.v1 import admin_service_pb2_grpc, audit_pb2
from moorage_server.api import (
    acting,
    decode_admin,
    decode_audit,
    encode_admin,
    encode_audit,
    encode_export,
    encode_resources,
    handover,
    page_tokens,
)
from moorage_server.api.desk import Context, Desk
from moorage_server.api.numbering import Numbering
from moorage_server.domain import errors
from moorage_server.storage import catalogs
from moorage_server.usecases import adopt, audit, consistency, export, quarantine

_log = structlog.get_logger()


class AdminService(admin_service_pb2_grpc.AdminServiceServicer):
    """Decodes, calls a use case, encodes."""

    def __init__(self, desk: Desk, numbering: Numbering, compiled: catalogs.Catalogs) -> None:
        """Takes what every service shares."""
        self._desk = desk
        self._numbering = numbering
        self._compiled = compiled

    async def CheckConsistency(
        self, request: messages.CheckConsistencyRequest, context: Context
    ) -> AsyncIterator[messages.CheckConsistencyResponse]:
        """Tells what breaks the rules, rule by rule."""
        vrf = decode_admin.vrf(request)
        async for checked in self._desk.stream(context, consistency.check, vrf=vrf):
            for each in encode_admin.checked(checked):
                yield each

    async def ExportVrf(
        self, request: messages.ExportVrfRequest, context: Context
    ) -> AsyncIterator[messages.ExportVrfResponse]:
        """Tells everything of a VRF, as it is at one moment."""
        vrf = decode_admin.vrf(request)
        told = self._desk.hand_over(context, export.export, self._compiled, vrf=vrf)
        try:
            async with contextlib.aclosing(told) as parts:
                async for part in parts:
                    for each in encode_export.part(part):
                        yield each
        except handover.NotTaken:
            text = f'nothing of the export of VRF "{vrf}" was taken for seconds; export again'
            raise errors.ConsumerTooSlow(vrf, text) from None

    async def AdoptBlock(
        self, request: messages.AdoptBlockRequest, context: Context
    ) -> messages.AdoptBlockResponse:
        """Adopts a block with what is held of it, or says what is in the way."""
        asked = decode_admin.adopt_request(request)
        wanted = dataclasses.replace(asked, by=acting.act(context))
        decision = await self._desk.run(context, adopt.adopt, self._compiled, wanted)
        self._numbering.stir()
        return encode_admin.adopted(decision)

    async def GetQuarantine(
        self, request: messages.GetQuarantineRequest, context: Context
    ) -> messages.GetQuarantineResponse:
        """Tells why a VRF assigns nothing new, and what it waits for."""
        vrf = decode_admin.vrf(request)
        return encode_admin.report(await self._desk.run(context, quarantine.show, vrf=vrf))

    async def LiftQuarantine(
        self, request: messages.LiftQuarantineRequest, context: Context
    ) -> messages.LiftQuarantineResponse:
        """Ends every quarantine of a VRF by the word of whoever calls."""
        vrf, reason = decode_admin.lifted(request)
        by = acting.act(context)
        ended = await self._desk.run(context, quarantine.lift, vrf=vrf, reason=reason, by=by)
        who = by.actor.name
        for each in ended:
            _log.warning("quarantine lifted", vrf=vrf, cause=each.cause, reason=reason, by=who)
        return messages.LiftQuarantineResponse(quarantines=map(encode_resources.quarantined, ended))

    async def ListChanges(
        self, request: audit_pb2.ListChangesRequest, context: Context
    ) -> audit_pb2.ListChangesResponse:
        """Lists who changed what, the newest first."""
        asked = decode_audit.listing(request)
        found, more = await self._desk.run(
            context, audit.page, wanted=asked.wanted, before=asked.before, size=asked.size
        )
        page = page_tokens.fitting([encode_audit.change(each) for each in found])
        more = more or len(page) < len(found)
        last = str(page[-1].change_id) if more else ""
        return audit_pb2.ListChangesResponse(
            changes=page, next_page_token=page_tokens.encode(request, last) if more else ""
        )
