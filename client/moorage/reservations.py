"""The calls that administer reservations."""

from collections.abc import Iterable, Iterator, Mapping

import grpc

from moorage import calls, names
from moorage.v1 import reservation_service_pb2, reservation_service_pb2_grpc, resources_pb2


class Reservations(calls.Calls):
    """Reservations."""

    def __init__(self, channel: grpc.Channel, timeout: float) -> None:
        super().__init__(channel, timeout)
        self._reservations = reservation_service_pb2_grpc.ReservationServiceStub(channel)

    def create_reservation(
        self,
        reservation_id: str,
        reservation: resources_pb2.Reservation,
        *,
        vrf: str = names.DEFAULT_VRF,
        validate_only: bool = False,
        timeout: float | None = None,
    ) -> resources_pb2.Reservation:
        """Create a reservation; see `create_pool` for what is not tried again."""
        request = reservation_service_pb2.CreateReservationRequest(
            parent=names.vrf(vrf),
            reservation_id=reservation_id,
            reservation=reservation,
            validate_only=validate_only,
        )
        return self._call(
            self._reservations.CreateReservation, request, timeout, creates=not validate_only
        ).reservation

    def get_reservation(
        self, reservation: str, *, vrf: str = names.DEFAULT_VRF, timeout: float | None = None
    ) -> resources_pb2.Reservation:
        """Return one reservation."""
        request = reservation_service_pb2.GetReservationRequest(
            name=names.reservation(reservation, vrf)
        )
        return self._call(self._reservations.GetReservation, request, timeout).reservation

    def reservations(
        self,
        *,
        labels: Mapping[str, str] | None = None,
        vrf: str = names.DEFAULT_VRF,
        page_size: int = 0,
        timeout: float | None = None,
    ) -> Iterator[resources_pb2.Reservation]:
        """List reservations by id, those alone that carry all of `labels`."""
        request = reservation_service_pb2.ListReservationsRequest(
            parent=names.vrf(vrf), page_size=page_size, labels=labels
        )
        for page in self._pages(self._reservations.ListReservations, request, timeout):
            yield from page.reservations

    def update_reservation(
        self,
        reservation: resources_pb2.Reservation,
        *,
        update_mask: Iterable[str] = (),
        validate_only: bool = False,
        timeout: float | None = None,
    ) -> resources_pb2.Reservation:
        """Change the fields that `update_mask` names; see `update_pool`."""
        request = reservation_service_pb2.UpdateReservationRequest(
            reservation=reservation,
            update_mask=calls.mask(update_mask),
            validate_only=validate_only,
        )
        return self._call(self._reservations.UpdateReservation, request, timeout).reservation

    def delete_reservation(
        self,
        reservation: str,
        *,
        etag: str = "",
        vrf: str = names.DEFAULT_VRF,
        validate_only: bool = False,
        timeout: float | None = None,
    ) -> None:
        """Delete a reservation; see `delete_pool`."""
        request = reservation_service_pb2.DeleteReservationRequest(
            name=names.reservation(reservation, vrf), etag=etag, validate_only=validate_only
        )
        self._delete(
            self._reservations.DeleteReservation, request, timeout, validate_only=validate_only
        )
