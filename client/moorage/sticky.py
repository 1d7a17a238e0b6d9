"""The calls for addresses that nobody holds, and that are kept for their owners."""

from collections.abc import Iterator

import grpc

from moorage import calls, names
from moorage.v1 import allocation_service_pb2_grpc, reconciliation_pb2


class StickyAddresses(calls.Calls):
    """Sticky addresses; a release makes an address one that was assigned so."""

    def __init__(self, channel: grpc.Channel, timeout: float) -> None:
        super().__init__(channel, timeout)
        self._sticky = allocation_service_pb2_grpc.AllocationServiceStub(channel)

    def sticky_addresses(
        self,
        *,
        owner_key: str = "",
        vrf: str = names.DEFAULT_VRF,
        page_size: int = 0,
        timeout: float | None = None,
    ) -> Iterator[reconciliation_pb2.StickyAddress]:
        """List sticky addresses in order, of one owner or of all."""
        request = reconciliation_pb2.ListStickyAddressesRequest(
            parent=names.vrf(vrf), owner_key=owner_key, page_size=page_size
        )
        for page in self._pages(self._sticky.ListStickyAddresses, request, timeout):
            yield from page.sticky_addresses

    def delete_sticky_address(
        self, address: names.Address, *, vrf: str = names.DEFAULT_VRF, timeout: float | None = None
    ) -> None:
        """Give an address up that is kept for its owner; see `delete_pool`."""
        request = reconciliation_pb2.DeleteStickyAddressRequest(
            name=names.sticky_address(address, vrf)
        )
        self._delete(self._sticky.DeleteStickyAddress, request, timeout)
