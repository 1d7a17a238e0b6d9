"""AllocationService: the data path, and the questions about it."""

import dataclasses
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING, TypeVar

from moorage.v1 import allocation_service_pb2 as messages
from moorage.v1 import allocation_service_pb2_grpc, history_pb2, reconciliation_pb2
from moorage_server.api import (
    acting,
    backward,
    callers,
    decode,
    decode_history,
    decode_reconciliation,
    decode_sticky,
    encode,
    encode_explanation,
    encode_held,
    encode_history,
    encode_reconciliation,
    encode_resources,
    leaks,
    page_tokens,
)
from moorage_server.api.collector import Collector
from moorage_server.api.desk import Context, Desk, deadline_of
from moorage_server.api.watching import Watching
from moorage_server.domain import catalog, errors
from moorage_server.storage import catalogs
from moorage_server.usecases import explain, history, query, reconcile, sticky

if TYPE_CHECKING:
    from moorage_server.api.cluster import Cluster

_Answer = TypeVar("_Answer", messages.AssignAddressesResponse, messages.ReleaseAddressesResponse)


class AllocationService(allocation_service_pb2_grpc.AllocationServiceServicer):
    """Assigns and releases through the collector, asks through the desk."""

    def __init__(
        self,
        desk: Desk,
        collector: Collector,
        watching: Watching,
        compiled: catalogs.Catalogs,
        cluster: "Cluster | None" = None,
    ) -> None:
        """Takes what every service shares, and who is asked for nodes' pods, if anybody is."""
        self._cluster = cluster
        self._desk = desk
        self._collector = collector
        self._watching = watching
        self._compiled = compiled

    async def AssignAddresses(
        self, request: messages.AssignAddressesRequest, context: Context
    ) -> messages.AssignAddressesResponse:
        """Assigns addresses to one attachment."""
        wanted = acting.signed(decode.assign_request(request), context)
        if self._cluster is not None and wanted.bounds.node:
            wanted = await self._cluster.verified(wanted, deadline_of(context))
        held = await self._collector.submit(wanted, deadline_of(context))
        return self._told(messages.AssignAddressesResponse(), held, wanted.attachment.vrf)

    async def ReleaseAddresses(
        self, request: messages.ReleaseAddressesRequest, context: Context
    ) -> messages.ReleaseAddressesResponse:
        """Releases the addresses of one attachment."""
        wanted = acting.signed(decode.release_request(request), context)
        released = await self._collector.submit(wanted, deadline_of(context))
        return self._told(messages.ReleaseAddressesResponse(), released, wanted.attachment.vrf)

    async def ExplainAssign(
        self, request: messages.ExplainAssignRequest, context: Context
    ) -> messages.ExplainAssignResponse:
        """Tells what AssignAddresses would do now, and why."""
        wanted = decode.assign_request(request.assign)
        explained = await self._desk.run(context, explain.explain, self._compiled, wanted)
        return encode_explanation.explanation(explained)

    async def ReconcileNode(
        self, request: reconciliation_pb2.ReconcileNodeRequest, context: Context
    ) -> reconciliation_pb2.ReconcileNodeResponse:
        """Releases what a node does not have any more."""
        asked = decode_reconciliation.reconcile_request(request)
        wanted = dataclasses.replace(asked, by=acting.act(context))
        found = await self._desk.run(context, reconcile.find, self._compiled, wanted)
        if found.lost:
            await backward.shut(self._desk, wanted.vrf, found.lost)
        if wanted.validate_only:
            would = [shown for leak in found.leaks for shown in leak.held]
            answer = encode_reconciliation.reconciled(found, would, ())
        else:
            answer = await self._released(found, deadline_of(context))
        encode.position(self._compiled.positions.of(wanted.vrf), answer.position)
        return answer

    async def _released(
        self, found: reconcile.Findings, deadline: float
    ) -> reconciliation_pb2.ReconcileNodeResponse:
        released, failures = await leaks.release(self._collector, found.leaks, deadline)
        busy = [leaks.Failure(attachment=each, refusal=errors.Contention()) for each in found.busy]
        return encode_reconciliation.reconciled(found, released, [*failures, *busy])

    async def GetAllocation(
        self, request: messages.GetAllocationRequest, context: Context
    ) -> messages.GetAllocationResponse:
        """Shows who holds one address."""
        vrf, address = decode.allocation_name(request)
        found = await self._desk.run(
            context,
            query.get,
            self._compiled,
            vrf=vrf,
            address=address,
            bounds=callers.CURRENT.get().bounds,
        )
        return messages.GetAllocationResponse(allocation=encode.allocation(found))

    async def ListAllocations(
        self, request: messages.ListAllocationsRequest, context: Context
    ) -> messages.ListAllocationsResponse:
        """Lists allocations in order of address."""
        wanted, size, after = decode.listing(request)
        found, more = await self._desk.run(
            context,
            query.page,
            self._compiled,
            wanted=wanted,
            pools=tuple(request.filter.pools),
            after=after,
            size=size,
        )
        answer = messages.ListAllocationsResponse()
        encode_held.allocations(found, answer.allocations)
        if page_tokens.shorten(answer, answer.allocations) or more:
            answer.next_page_token = page_tokens.encode(request, answer.allocations[-1].address)
        return answer

    async def ListAllocationHistory(
        self, request: history_pb2.ListAllocationHistoryRequest, context: Context
    ) -> history_pb2.ListAllocationHistoryResponse:
        """Tells who held addresses, and when."""
        asked = decode_history.listing(request)
        question = dataclasses.replace(asked, tells_actors=callers.CURRENT.get().sees_actors)
        found = await self._desk.run(context, history.page, self._compiled, question)
        page = page_tokens.fitting([encode_history.holding(each) for each in found.holdings])
        more = found.more or len(page) < len(found.holdings)
        last = str(page[-1].allocation.generation) if more else ""
        return history_pb2.ListAllocationHistoryResponse(
            holdings=page,
            next_page_token=page_tokens.encode(request, last) if more else "",
            known_since=encode_resources.timestamp(found.known_since),
        )

    async def WatchAllocations(  # type: ignore[override]  # its messages come serialized
        self, request: history_pb2.WatchAllocationsRequest, context: Context
    ) -> AsyncIterator[bytes]:
        """Tells of everything that is held, and then of every change."""
        async for message in self._watching.watch(request, context):
            yield message

    async def ListStickyAddresses(
        self, request: reconciliation_pb2.ListStickyAddressesRequest, context: Context
    ) -> reconciliation_pb2.ListStickyAddressesResponse:
        """Lists addresses that are kept for their owners, in order."""
        wanted = decode_sticky.listing(request)
        found, more = await self._desk.run(
            context,
            sticky.page,
            self._compiled,
            vrf=wanted.vrf,
            owner_key=wanted.owner_key,
            after=wanted.after,
            size=wanted.size,
        )
        page = page_tokens.fitting([encode.sticky_address(each) for each in found])
        more = more or len(page) < len(found)
        return reconciliation_pb2.ListStickyAddressesResponse(
            sticky_addresses=page,
            next_page_token=page_tokens.encode(request, page[-1].address) if more else "",
        )

    async def DeleteStickyAddress(
        self, request: reconciliation_pb2.DeleteStickyAddressRequest, context: Context
    ) -> reconciliation_pb2.DeleteStickyAddressResponse:
        """Gives up an address that is kept for its owner."""
        vrf, address = decode_sticky.name(request)
        kept = await self._desk.run(
            context,
            sticky.delete,
            self._compiled,
            vrf=vrf,
            address=address,
            by=acting.act(context),
        )
        return reconciliation_pb2.DeleteStickyAddressResponse(
            sticky_address=encode.sticky_address(kept)
        )

    def _told(self, answer: _Answer, shown: Iterable[catalog.Shown], vrf: str) -> _Answer:
        for each in shown:
            encode.allocation(each, answer.allocations.add())
        encode.position(self._compiled.positions.of(vrf), answer.position)
        return answer
