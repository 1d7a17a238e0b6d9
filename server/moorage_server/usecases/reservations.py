"""Administration of reservations. What they hide is decided in `domain.catalog`."""

from collections.abc import Callable, Mapping

from moorage_server.domain import resources
from moorage_server.domain.actors import NOBODY, Act
from moorage_server.storage import database, reservations, vrfs
from moorage_server.usecases import noting
from moorage_server.usecases.targets import Target

Change = Callable[[resources.Reservation], resources.Reservation]


def create(
    store: database.Database,
    limits: database.Limits,
    reservation: resources.Reservation,
    by: Act = NOBODY,
) -> resources.Reservation:
    """The reservation as stored; raises VrfNotFound or ReservationAlreadyExists."""

    def work(transaction: database.Transaction) -> resources.Reservation:
        vrfs.lock(transaction, reservation.vrf)
        vrfs.require_id(transaction, reservation.vrf)
        reservations.create(transaction, reservation)
        vrfs.bump(transaction, reservation.vrf)
        stored = reservations.get(transaction, reservation.vrf, reservation.name)
        noting.note(transaction, by, "CreateReservation", after=stored)
        return stored

    return store.run(work, limits)


def get(
    store: database.Database, limits: database.Limits, vrf: str, name: str
) -> resources.Reservation:
    """One reservation; raises ReservationNotFound."""
    return store.run(lambda transaction: reservations.get(transaction, vrf, name), limits)


def page(
    store: database.Database,
    limits: database.Limits,
    vrf: str,
    *,
    labels: Mapping[str, str],
    after: str,
    size: int,
) -> tuple[list[resources.Reservation], bool]:
    """A page of reservations in order of name, and whether more follow; raises VrfNotFound."""

    def work(transaction: database.Transaction) -> list[resources.Reservation]:
        vrfs.require_id(transaction, vrf)
        return reservations.page(transaction, vrf, labels=labels, after=after, limit=size + 1)

    found = store.run(work, limits)
    return found[:size], len(found) > size


def update(
    store: database.Database,
    limits: database.Limits,
    target: Target,
    change: Change,
    by: Act = NOBODY,
) -> resources.Reservation:
    """The reservation as changed.

    Raises ReservationNotFound, EtagMismatch, and what `change` raises.
    """

    def work(transaction: database.Transaction) -> resources.Reservation:
        vrfs.lock(transaction, target.vrf)
        before = reservations.get(transaction, target.vrf, target.name)
        target.require_etag(before)
        after = change(before)
        if after == before:
            return before
        reservations.update(transaction, after)
        vrfs.bump(transaction, target.vrf)
        stored = reservations.get(transaction, target.vrf, target.name)
        noting.note(transaction, by, "UpdateReservation", before=before, after=stored)
        return stored

    return store.run(work, limits)


def delete(
    store: database.Database, limits: database.Limits, target: Target, by: Act = NOBODY
) -> None:
    """Removes a reservation; raises ReservationNotFound or EtagMismatch."""

    def work(transaction: database.Transaction) -> None:
        vrfs.lock(transaction, target.vrf)
        reservation = reservations.get(transaction, target.vrf, target.name)
        target.require_etag(reservation)
        reservations.delete(transaction, reservation)
        vrfs.bump(transaction, target.vrf)
        noting.note(transaction, by, "DeleteReservation", before=reservation)

    store.run(work, limits)
