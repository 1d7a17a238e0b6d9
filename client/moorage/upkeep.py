"""The calls that look after the whole of a VRF: checking it, filling it from another IPAM, and who
changed what of it.
"""

import datetime
from collections.abc import Iterable, Iterator

import grpc

from moorage import calls, names
from moorage.v1 import (
    admin_service_pb2,
    admin_service_pb2_grpc,
    audit_pb2,
    reconciliation_pb2,
    resources_pb2,
)


class Upkeep(calls.Calls):
    """VRFs as a whole."""

    def __init__(self, channel: grpc.Channel, timeout: float) -> None:
        super().__init__(channel, timeout)
        self._admin = admin_service_pb2_grpc.AdminServiceStub(channel)

    def check_consistency(
        self, *, vrf: str = names.DEFAULT_VRF, timeout: float | None = None
    ) -> Iterator[admin_service_pb2.CheckConsistencyResponse]:
        """Check that what is stored of a VRF agrees with itself; yields what is found, as it is.

        `timeout` is for the whole check. A check that breaks off is not tried again: its findings
        would come twice.
        """
        request = admin_service_pb2.CheckConsistencyRequest(parent=names.vrf(vrf))
        yield from self._stream(self._admin.CheckConsistency, request, timeout)

    def export_vrf(
        self, *, vrf: str = names.DEFAULT_VRF, timeout: float | None = None
    ) -> Iterator[admin_service_pb2.ExportVrfResponse]:
        """Yield everything that a VRF is made of and that is held in it, as it is at one moment.

        One kind after the other, a piece at a time. `timeout` is for the whole of it. An export
        that breaks off is not tried again: what was read is of a moment that has passed.
        """
        request = admin_service_pb2.ExportVrfRequest(parent=names.vrf(vrf))
        yield from self._stream(self._admin.ExportVrf, request, timeout)

    def adopt_block(
        self,
        cidr: str,
        addresses: Iterable[admin_service_pb2.AdoptedAddress] = (),
        *,
        node: str = "",
        sticky_addresses: Iterable[reconciliation_pb2.StickyAddress] = (),
        validate_only: bool = False,
        vrf: str = names.DEFAULT_VRF,
        timeout: float | None = None,
    ) -> admin_service_pb2.AdoptBlockResponse:
        """Adopt a block with the addresses held in it, all or nothing; see its `conflicts`.

        `sticky_addresses` are those that nobody holds and that are to be kept for their owners. The
        same call again changes nothing, whatever was released since. With `validate_only`
        nothing is changed at all.
        """
        request = admin_service_pb2.AdoptBlockRequest(
            parent=names.vrf(vrf),
            cidr=cidr,
            node=node,
            addresses=addresses,
            sticky_addresses=sticky_addresses,
            validate_only=validate_only,
        )
        return self._call(self._admin.AdoptBlock, request, timeout)

    def get_quarantine(
        self, *, vrf: str = names.DEFAULT_VRF, timeout: float | None = None
    ) -> admin_service_pb2.GetQuarantineResponse:
        """Return why a VRF assigns nothing new, if so, and what it waits for."""
        request = admin_service_pb2.GetQuarantineRequest(parent=names.vrf(vrf))
        return self._call(self._admin.GetQuarantine, request, timeout)

    def lift_quarantine(
        self, reason: str, *, vrf: str = names.DEFAULT_VRF, timeout: float | None = None
    ) -> list[resources_pb2.Quarantine]:
        """End every quarantine of a VRF by your word; return those that there were.

        `reason` is kept for whoever asks later why that was safe.
        """
        request = admin_service_pb2.LiftQuarantineRequest(parent=names.vrf(vrf), reason=reason)
        return list(self._call(self._admin.LiftQuarantine, request, timeout).quarantines)

    def changes(
        self,
        kind: audit_pb2.ChangeKind.ValueType = audit_pb2.CHANGE_KIND_UNSPECIFIED,
        resource_id: str = "",
        *,
        start: datetime.datetime | None = None,
        end: datetime.datetime | None = None,
        vrf: str = names.DEFAULT_VRF,
        page_size: int = 0,
        timeout: float | None = None,
    ) -> Iterator[audit_pb2.Change]:
        """List who changed what of a VRF, the newest first, page after page.

        All that is kept, or what was changed from `start` on and before `end`; a time without a
        zone is in UTC. Who was given addresses is in `history`.
        """
        request = audit_pb2.ListChangesRequest(
            parent=names.vrf(vrf),
            kind=kind,
            resource_id=resource_id,
            start_time=calls.timestamp(start),
            end_time=calls.timestamp(end),
            page_size=page_size,
        )
        for page in self._pages(self._admin.ListChanges, request, timeout):
            yield from page.changes
