"""The calls that administer VRFs."""

from collections.abc import Iterable, Iterator, Mapping

import grpc

from moorage import calls, names
from moorage.v1 import resources_pb2, vrf_service_pb2, vrf_service_pb2_grpc


class Vrfs(calls.Calls):
    """VRFs."""

    def __init__(self, channel: grpc.Channel, timeout: float) -> None:
        super().__init__(channel, timeout)
        self._vrfs = vrf_service_pb2_grpc.VrfServiceStub(channel)

    def create_vrf(
        self,
        vrf_id: str,
        vrf: resources_pb2.Vrf | None = None,
        *,
        validate_only: bool = False,
        timeout: float | None = None,
    ) -> resources_pb2.Vrf:
        """Create a VRF; see `create_pool` for what is not tried again."""
        request = vrf_service_pb2.CreateVrfRequest(
            vrf_id=vrf_id, vrf=vrf, validate_only=validate_only
        )
        return self._call(self._vrfs.CreateVrf, request, timeout, creates=not validate_only).vrf

    def get_vrf(self, vrf: str, *, timeout: float | None = None) -> resources_pb2.Vrf:
        """Return one VRF."""
        request = vrf_service_pb2.GetVrfRequest(name=names.vrf(vrf))
        return self._call(self._vrfs.GetVrf, request, timeout).vrf

    def vrfs(
        self,
        *,
        labels: Mapping[str, str] | None = None,
        page_size: int = 0,
        timeout: float | None = None,
    ) -> Iterator[resources_pb2.Vrf]:
        """List VRFs by id, those alone that carry all of `labels`."""
        request = vrf_service_pb2.ListVrfsRequest(page_size=page_size, labels=labels)
        for page in self._pages(self._vrfs.ListVrfs, request, timeout):
            yield from page.vrfs

    def update_vrf(
        self,
        vrf: resources_pb2.Vrf,
        *,
        update_mask: Iterable[str] = (),
        validate_only: bool = False,
        timeout: float | None = None,
    ) -> resources_pb2.Vrf:
        """Change the fields that `update_mask` names; see `update_pool`."""
        request = vrf_service_pb2.UpdateVrfRequest(
            vrf=vrf, update_mask=calls.mask(update_mask), validate_only=validate_only
        )
        return self._call(self._vrfs.UpdateVrf, request, timeout).vrf

    def delete_vrf(
        self,
        vrf: str,
        *,
        etag: str = "",
        validate_only: bool = False,
        timeout: float | None = None,
    ) -> None:
        """Delete a VRF that has no pools; see `delete_pool`."""
        request = vrf_service_pb2.DeleteVrfRequest(
            name=names.vrf(vrf), etag=etag, validate_only=validate_only
        )
        self._delete(self._vrfs.DeleteVrf, request, timeout, validate_only=validate_only)
