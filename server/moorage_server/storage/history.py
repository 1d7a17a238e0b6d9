"""What is read of events: who held addresses, and how many were held.

A holding that has ended is one row, that of its release. Those in a default partition,
or older than what a VRF keeps, are rows like others: what is not to be told is left
out by the period that is asked for.
"""

import datetime
from typing import Any

import sqlalchemy as sa

from moorage_server.domain import addresses, history, model
from moorage_server.storage import allocations, arrays, filters, tables

# SQL for the beginning of the oldest month that is kept. Of what was before, nothing or
# little is left; other rules of the history hold from here on. The present month is
# never given up, though it may be in the default partition.
KEPT_SINCE = """(SELECT least(date_trunc('month', clock_timestamp(), 'UTC'),
        min(CAST(substring(pg_get_expr(kept.relpartbound, kept.oid)
            FROM $$FROM \\('([^']+)'\\)$$) AS timestamptz)))
    FROM pg_inherits JOIN pg_class AS kept ON kept.oid = inhrelid
    WHERE inhparent = CAST('events' AS regclass))"""
_KEPT_SINCE = sa.text(f"SELECT {KEPT_SINCE}")

_KEEP_AUDIT = sa.text("SELECT keep_audit(:at_once)")
_KEEP = sa.text("SELECT keep_history(:at_once)")

_CHANGES = sa.text("""
SELECT CAST(event_time AT TIME ZONE 'UTC' AS date) AS day,
    count(*) FILTER (WHERE kind = 'ASSIGNED') - count(*) FILTER (WHERE kind = 'RELEASED') AS change
FROM events
WHERE vrf_id = :vrf_id AND address BETWEEN CAST(:first AS inet) AND CAST(:last AS inet)
    AND event_time >= :since
GROUP BY day
""")

_e = tables.events.alias("e")
# Literally, as the indexes say it: a plan for any value must know that they serve.
_RELEASED = sa.text("e.kind = 'RELEASED'")
# In this order the holdings of all are read; `tables` says why it is spelled so.
_OF_ALL: sa.ColumnElement[int] = _e.c.assign_generation + sa.literal_column("0")
_GIVEN = {name: sa.text(f"e.{name} <> ''") for name in ("pod", "node", "owner_key")}


def keep(connection: sa.Connection, *, at_once: int) -> int:
    """Makes coming months and gives up what is too old, one thing; 0 where nothing is left to do.

    The owner's function decides what: the service's role may take nothing out of history.
    """
    done: int = connection.execute(_KEEP, {"at_once": at_once}).scalar_one()
    return done


def keep_audit(connection: sa.Connection, *, at_once: int) -> int:
    """Gives up what is too old of who changed what, so many rows; 0 where nothing is left to do."""
    done: int = connection.execute(_KEEP_AUDIT, {"at_once": at_once}).scalar_one()
    return done


def kept_since(connection: sa.Connection) -> datetime.datetime:
    """Since when no month has been given up."""
    oldest: datetime.datetime = connection.execute(_KEPT_SINCE).scalar_one()
    return oldest


def released(
    connection: sa.Connection,
    vrf_id: int,
    wanted: model.AllocationFilter,
    *,
    during: history.Period,
    after: int,
    limit: int,
) -> list[history.Holding]:
    """Holdings that have ended, in order of generation, from the one behind `after`."""
    order = _e.c.assign_generation if _has_index(wanted) else _OF_ALL
    of = filters.conditions(wanted, holder="e", address="e.address")
    query = _ended(vrf_id).where(
        *map(sa.text, of.texts),
        *(given for name, given in _GIVEN.items() if getattr(wanted, name)),
        order > after,
    )
    if during.start is not None:
        query = query.where(_e.c.event_time > during.start)
    if during.end is not None:
        query = query.where(_e.c.assign_time < during.end)
    rows = connection.execute(query.order_by(order).limit(limit), of.parameters).all()
    return [_holding(row, wanted.vrf) for row in rows]


def changes(
    connection: sa.Connection,
    vrf_id: int,
    cidr: addresses.Network,
    *,
    since: datetime.datetime,
) -> dict[datetime.date, int]:
    """By how many more addresses of a range were held at the end of each day, UTC."""
    parameters = {"vrf_id": vrf_id, "first": str(cidr[0]), "last": str(cidr[-1]), "since": since}
    return {row.day: row.change for row in connection.execute(_CHANGES, parameters)}


def _has_index(wanted: model.AllocationFilter) -> bool:
    """Whether there is an index for those that are meant, in order of generation."""
    one = wanted.within is not None and wanted.within.num_addresses == 1
    pod = bool(wanted.namespace and wanted.pod)
    return one or pod or bool(wanted.container_id or wanted.node or wanted.owner_key)


def _ended(vrf_id: int) -> "sa.Select[*tuple[Any, ...]]":  # columns of many types
    return sa.select(
        _e,
        _e.c.assign_generation.label("generation"),
        sa.literal(0).label("sticky_seconds"),
        sa.null().label("suspect_tick"),
    ).where(_e.c.vrf_id == vrf_id, _RELEASED)


def _holding(row: arrays.Row, vrf: str) -> history.Holding:
    held = allocations.allocation(row, vrf)
    end = history.Event(
        kind=history.Kind(row.kind),
        cause=history.Cause(row.cause),
        generation=row.event_id,
        time=row.event_time,
        pool=row.pool,
        allocation=held,
    )
    return history.Holding(allocation=held, pool=row.pool, end=end)
