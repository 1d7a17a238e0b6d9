"""The calls for addresses: assigning, releasing, reconciling, and who holds them.

One part of `moorage.Client`, and all that a node's plugin needs of it.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

import grpc
from google.protobuf import duration_pb2

from moorage import attempts, calls, gate, names, positions
from moorage.v1 import (
    allocation_service_pb2,
    allocation_service_pb2_grpc,
    filter_pb2,
    reconciliation_pb2,
    resources_pb2,
)

Seconds = float | datetime.timedelta

_Request = TypeVar(
    "_Request",
    allocation_service_pb2.AssignAddressesRequest,
    allocation_service_pb2.ReleaseAddressesRequest,
    reconciliation_pb2.ReconcileNodeRequest,
)
_Response = TypeVar(
    "_Response",
    allocation_service_pb2.AssignAddressesResponse,
    allocation_service_pb2.ReleaseAddressesResponse,
    reconciliation_pb2.ReconcileNodeResponse,
)


class Allocations(calls.Calls):
    """Addresses, and the attachments that hold them."""

    def __init__(
        self, channel: grpc.Channel, timeout: float, seen: positions.Seen | None = None
    ) -> None:
        super().__init__(channel, timeout)
        self._allocations = allocation_service_pb2_grpc.AllocationServiceStub(channel)
        self._gate = gate.Gate()
        self._seen = seen or positions.Seen()

    def _answer(
        self,
        method: grpc.UnaryUnaryMultiCallable[_Request, _Response],
        request: _Request,
        timeout: float | None,
        *,
        through: gate.Gate | None = None,
    ) -> _Response:
        """Show the server how far the feed had come, and learn how far it has."""
        known = self._seen.of(request.parent)
        if known is not None:
            request.seen.CopyFrom(known)
        answer = self._call(method, request, timeout, gate=through)
        self._seen.note(request.parent, answer.position)
        return answer

    def assign(  # noqa: PLR0913 - one for each field of the request, and all but two by name
        self,
        attachment: resources_pb2.Attachment,
        addresses: Iterable[allocation_service_pb2.AddressRequest],
        *,
        workload: resources_pb2.Workload | None = None,
        use: resources_pb2.Use.ValueType = resources_pb2.USE_UNSPECIFIED,
        owner_key: str = "",
        labels: Mapping[str, str] | None = None,
        wait: Seconds = 0,
        sticky: Seconds = 0,
        vrf: str = names.DEFAULT_VRF,
        attempt: resources_pb2.AttemptStamp | None = None,
        timeout: float | None = None,
    ) -> list[resources_pb2.Allocation]:
        """Assign addresses to an attachment: one allocation for each asked for, or an error.

        The same call again returns the same allocations. `attempt` is when the caller began, by
        default now; a Release that began later wins. `wait` is how long to wait, within `timeout`,
        for an address that a predecessor of the same owner still holds; `sticky` for how long the
        addresses stay kept for `owner_key` after their release.
        """
        request = _assign_request(
            attachment,
            addresses,
            workload=workload,
            use=use,
            owner_key=owner_key,
            labels=labels,
            wait=wait,
            sticky=sticky,
            vrf=vrf,
            attempt=attempt,
        )
        assign = self._allocations.AssignAddresses
        # One that waits for a predecessor takes nothing from the server meanwhile.
        gate = None if request.HasField("wait") else self._gate
        return list(self._answer(assign, request, timeout, through=gate).allocations)

    def explain_assign(  # noqa: PLR0913 - those of assign
        self,
        attachment: resources_pb2.Attachment,
        addresses: Iterable[allocation_service_pb2.AddressRequest],
        *,
        workload: resources_pb2.Workload | None = None,
        use: resources_pb2.Use.ValueType = resources_pb2.USE_UNSPECIFIED,
        owner_key: str = "",
        labels: Mapping[str, str] | None = None,
        wait: Seconds = 0,
        sticky: Seconds = 0,
        vrf: str = names.DEFAULT_VRF,
        attempt: resources_pb2.AttemptStamp | None = None,
        timeout: float | None = None,
    ) -> allocation_service_pb2.ExplainAssignResponse:
        """Return what `assign` would do now, and why, without doing it.

        That it would be refused is part of the answer, not an error.
        """
        request = allocation_service_pb2.ExplainAssignRequest(
            assign=_assign_request(
                attachment,
                addresses,
                workload=workload,
                use=use,
                owner_key=owner_key,
                labels=labels,
                wait=wait,
                sticky=sticky,
                vrf=vrf,
                attempt=attempt,
            )
        )
        return self._call(self._allocations.ExplainAssign, request, timeout)

    def release(
        self,
        attachment: resources_pb2.Attachment,
        *,
        generations: Iterable[int] = (),
        vrf: str = names.DEFAULT_VRF,
        attempt: resources_pb2.AttemptStamp | None = None,
        timeout: float | None = None,
    ) -> list[resources_pb2.Allocation]:
        """Release what an attachment holds, or only what it held at these generations.

        Returns what was released; releasing what is not there succeeds. `attempt` is when the
        caller began, by default now: a release that is sent long after it was asked for gives the
        stamp of that moment, and so never touches a later assignment. With generations there is no
        default: whoever has looked them up may be on another machine than the workload, of whose
        clock a stamp says nothing.
        """
        generations = tuple(generations)
        request = allocation_service_pb2.ReleaseAddressesRequest(
            parent=names.vrf(vrf),
            attachment=attachment,
            attempt=attempt or (None if generations else attempts.stamp()),
            generations=generations,
        )
        return list(self._answer(self._allocations.ReleaseAddresses, request, timeout).allocations)

    def reconcile_node(  # noqa: PLR0913 - one for each field of the request, and all but two by name
        self,
        node: str,
        attachments: Iterable[resources_pb2.Attachment],
        *,
        cluster: str = "",
        network: str = "",
        grace: float | None = None,
        validate_only: bool = False,
        from_records: bool = False,
        vrf: str = names.DEFAULT_VRF,
        attempt: resources_pb2.AttemptStamp | None = None,
        timeout: float | None = None,
    ) -> reconciliation_pb2.ReconcileNodeResponse:
        """Release what a node does not have any more; `attachments` is everything that it has.

        Only what was assigned for the same `cluster` counts, see `Workload`. What is missing is
        suspect at first, and released when a later list lacks it too, `grace` seconds after; the
        server has a default. `attempt` is when the node began to make the list, on its own clock;
        it is not taken here, where the list is made already. `from_records`: the list was made from
        what the server said is held, and names nothing else. See `failures` of what is returned; of
        a call that had to be sent again, it tells of the last try alone.
        """
        request = reconciliation_pb2.ReconcileNodeRequest(
            parent=names.vrf(vrf),
            node=node,
            cluster=cluster,
            network=network,
            attachments=attachments,
            attempt=attempt,
            validate_only=validate_only,
            from_records=from_records,
        )
        if grace is not None:
            request.grace.FromNanoseconds(round(grace * 1e9))
        return self._answer(self._allocations.ReconcileNode, request, timeout)

    def get_allocation(
        self, address: names.Address, *, vrf: str = names.DEFAULT_VRF, timeout: float | None = None
    ) -> resources_pb2.Allocation:
        """Return who holds an address; raises NotFound when nobody does."""
        name = names.allocation(address, vrf)
        request = allocation_service_pb2.GetAllocationRequest(name=name)
        return self._call(self._allocations.GetAllocation, request, timeout).allocation

    def allocations(
        self,
        filter: filter_pb2.AllocationFilter | None = None,
        *,
        vrf: str = names.DEFAULT_VRF,
        page_size: int = 0,
        timeout: float | None = None,
    ) -> Iterator[resources_pb2.Allocation]:
        """List allocations by address, page after page as they are consumed."""
        request = allocation_service_pb2.ListAllocationsRequest(
            parent=names.vrf(vrf), filter=filter, page_size=page_size
        )
        for page in self._pages(self._allocations.ListAllocations, request, timeout):
            yield from page.allocations


def _assign_request(  # noqa: PLR0913 - those of assign
    attachment: resources_pb2.Attachment,
    addresses: Iterable[allocation_service_pb2.AddressRequest],
    *,
    workload: resources_pb2.Workload | None,
    use: resources_pb2.Use.ValueType,
    owner_key: str,
    labels: Mapping[str, str] | None,
    wait: Seconds,
    sticky: Seconds,
    vrf: str,
    attempt: resources_pb2.AttemptStamp | None,
) -> allocation_service_pb2.AssignAddressesRequest:
    return allocation_service_pb2.AssignAddressesRequest(
        parent=names.vrf(vrf),
        attachment=attachment,
        addresses=addresses,
        workload=workload,
        use=use,
        owner_key=owner_key,
        labels=labels,
        attempt=attempt or attempts.stamp(),
        wait=_duration(wait),
        sticky=_duration(sticky),
    )


def _duration(length: Seconds) -> duration_pb2.Duration | None:
    """Return how long that is; None for no time at all, which is not sent."""
    made = duration_pb2.Duration()
    exact = length if isinstance(length, datetime.timedelta) else datetime.timedelta(seconds=length)
    made.FromTimedelta(exact)
    return made if exact else None
