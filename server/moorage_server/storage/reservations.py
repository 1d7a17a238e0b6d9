"""Rows of reservations: reading, creating, changing and deleting them.

Whoever writes one holds `vrfs.lock` of its VRF. What a reservation hides is
decided in `domain.catalog`.
"""

import datetime
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from moorage_server.domain import addresses, errors, offers, resources
from moorage_server.storage import arrays, stored, tables, vrfs
from moorage_server.storage import errors as database_errors

_TABLE = tables.reservations
_SELECT = sa.select(tables.vrfs.c.name.label("vrf"), _TABLE).join_from(
    _TABLE, tables.vrfs, tables.vrfs.c.vrf_id == _TABLE.c.vrf_id
)


def get(connection: sa.Connection, vrf: str, name: str) -> resources.Reservation:
    """A reservation; raises ReservationNotFound, also where the VRF is not there."""
    query = _SELECT.where(tables.vrfs.c.name == vrf, _TABLE.c.name == name)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise errors.ReservationNotFound(vrf, name)
    return _reservation(row)


def page(
    connection: sa.Connection, vrf: str, *, labels: Mapping[str, str], after: str, limit: int
) -> list[resources.Reservation]:
    """Reservations of a VRF in order of name, from the one behind `after`."""
    of_vrf = _SELECT.where(tables.vrfs.c.name == vrf)
    query = stored.page(of_vrf, _TABLE, labels=labels, after=after, limit=limit)
    return [_reservation(row) for row in connection.execute(query)]


def reserved(
    connection: sa.Connection, vrf_id: int, now: datetime.datetime
) -> tuple[tuple[offers.Reserved, ...], datetime.datetime | None]:
    """Everything that the reservations of a VRF hide now, and when the next of them expires."""
    expires = _TABLE.c.expire_time
    lives = sa.or_(expires.is_(None), expires > now)
    query = sa.select(_TABLE.c.cidrs, _TABLE.c.owner_key, expires).where(
        _TABLE.c.vrf_id == vrf_id, lives
    )
    rows = connection.execute(query).all()
    hidden = tuple(
        offers.Reserved(span=addresses.Span.of(cidr), owner_key=row.owner_key)
        for row in rows
        for cidr in row.cidrs
    )
    return hidden, min((row.expire_time for row in rows if row.expire_time), default=None)


def create(connection: sa.Connection, reservation: resources.Reservation) -> None:
    """Adds a reservation; raises ReservationAlreadyExists."""
    insert = _TABLE.insert().values(
        vrf_id=vrfs.id_of(reservation.vrf), name=reservation.name, **_fields(reservation)
    )
    try:
        connection.execute(insert)
    except sa.exc.IntegrityError as error:
        if database_errors.violated(error) == tables.Constraint.RESERVATION_NAME:
            raise errors.ReservationAlreadyExists(reservation.vrf, reservation.name) from error
        raise


def update(connection: sa.Connection, reservation: resources.Reservation) -> None:
    """Writes the fields of a reservation that may change."""
    values = {**_fields(reservation), **stored.changed(_TABLE)}
    connection.execute(_TABLE.update().where(*_is(reservation)).values(values))


def delete(connection: sa.Connection, reservation: resources.Reservation) -> None:
    """Removes a reservation."""
    connection.execute(_TABLE.delete().where(*_is(reservation)))


def _is(reservation: resources.Reservation) -> tuple[sa.ColumnElement[bool], ...]:
    return _TABLE.c.vrf_id == vrfs.id_of(reservation.vrf), _TABLE.c.name == reservation.name


def _fields(reservation: resources.Reservation) -> dict[str, Any]:  # columns of many types
    return {
        # Cast from text, because one array parameter cannot hold both families.
        "cidrs": sa.cast([str(cidr) for cidr in reservation.cidrs], pg.ARRAY(pg.CIDR)),
        "description": reservation.description,
        "expire_time": reservation.expire_time,
        "owner_key": reservation.owner_key,
        "labels": dict(reservation.labels),
    }


def _reservation(row: arrays.Row) -> resources.Reservation:
    return resources.Reservation(
        vrf=row.vrf,
        name=row.name,
        cidrs=tuple(row.cidrs),
        description=row.description,
        expire_time=row.expire_time,
        owner_key=row.owner_key,
        **stored.common(row),
    )
