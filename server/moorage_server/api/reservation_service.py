"""ReservationService: administration of reservations."""

from moorage.v1 import reservation_service_pb2 as messages
from moorage.v1 import reservation_service_pb2_grpc
from moorage_server.api import acting, decode_resources, encode_resources, listings, names
from moorage_server.api.desk import Context, Desk
from moorage_server.usecases import reservations


class ReservationService(reservation_service_pb2_grpc.ReservationServiceServicer):
    """Decodes, calls a use case, encodes."""

    def __init__(self, desk: Desk) -> None:
        """Takes what every service shares."""
        self._desk = desk

    async def CreateReservation(
        self, request: messages.CreateReservationRequest, context: Context
    ) -> messages.CreateReservationResponse:
        """Creates a reservation."""
        reservation = decode_resources.new_reservation(request)
        by = acting.act(context)
        stored = await self._desk.change(request, context, reservations.create, reservation, by=by)
        return messages.CreateReservationResponse(reservation=encode_resources.reservation(stored))

    async def GetReservation(
        self, request: messages.GetReservationRequest, context: Context
    ) -> messages.GetReservationResponse:
        """Shows one reservation."""
        target = decode_resources.target(request.name, names.RESERVATIONS)
        stored = await self._desk.run(context, reservations.get, target.vrf, target.name)
        return messages.GetReservationResponse(reservation=encode_resources.reservation(stored))

    async def ListReservations(
        self, request: messages.ListReservationsRequest, context: Context
    ) -> messages.ListReservationsResponse:
        """Lists reservations in order of id."""
        vrf, page = listings.page_of_vrf(request)
        listed, more = await self._desk.run(
            context, reservations.page, vrf, labels=page.labels, after=page.after, size=page.size
        )
        page_shown, token = listings.shown(request, listed, encode_resources.reservation, more=more)
        return messages.ListReservationsResponse(reservations=page_shown, next_page_token=token)

    async def UpdateReservation(
        self, request: messages.UpdateReservationRequest, context: Context
    ) -> messages.UpdateReservationResponse:
        """Changes the fields that the mask names."""
        target, change = decode_resources.reservation_change(request)
        by = acting.act(context)
        stored = await self._desk.change(
            request, context, reservations.update, target, change, by=by
        )
        return messages.UpdateReservationResponse(reservation=encode_resources.reservation(stored))

    async def DeleteReservation(
        self, request: messages.DeleteReservationRequest, context: Context
    ) -> messages.DeleteReservationResponse:
        """Deletes a reservation."""
        target = decode_resources.target(request.name, names.RESERVATIONS, request.etag)
        by = acting.act(context)
        await self._desk.change(request, context, reservations.delete, target, by=by)
        return messages.DeleteReservationResponse()
