"""Rows of events: history, one row per change, written in the change's transaction.

An event's id is the generation of what it tells of. It is drawn after the block
of the address was locked and written, so for one address ids grow in the order of
the changes, and whoever drew one holds a transaction id that can be waited for.
"""

import dataclasses
import datetime
from collections.abc import Collection, Sequence

import sqlalchemy as sa

from moorage_server.domain import addresses, model
from moorage_server.domain.history import Cause, Kind
from moorage_server.storage import arrays, statements

_WRITE = statements.Statement("""
INSERT INTO events (event_time, vrf_id, kind, cause, address, block, pool, assign_generation,
    assign_time, yielded, network, container_id, interface, node, namespace, pod, pod_uid,
    cluster, owner_key, use, labels)
-- Whatever the clock did meanwhile, nothing is released before it was assigned.
SELECT greatest(clock_timestamp(), assign_time), vrf_id, kind, cause, address, block, pool,
    assign_generation, assign_time, yielded, network, container_id, interface, node, namespace, pod,
    pod_uid, cluster, owner_key, use, labels
FROM unnest(CAST(:vrf_ids AS int[]), CAST(:kinds AS text[]), CAST(:causes AS text[]),
    CAST(:addresses AS inet[]), CAST(:blocks AS cidr[]), CAST(:pools AS text[]),
    CAST(:assign_generations AS bigint[]), CAST(:assign_times AS timestamptz[]),
    CAST(:yieldeds AS boolean[]), CAST(:networks AS text[]),
    CAST(:container_ids AS text[]), CAST(:interfaces AS text[]), CAST(:nodes AS text[]),
    CAST(:namespaces AS text[]), CAST(:pods AS text[]), CAST(:pod_uids AS text[]),
    CAST(:clusters AS text[]), CAST(:owner_keys AS text[]), CAST(:uses AS text[]),
    CAST(:labels AS jsonb[]))
    WITH ORDINALITY AS told (vrf_id, kind, cause, address, block, pool, assign_generation,
    assign_time, yielded, network, container_id, interface, node, namespace, pod, pod_uid,
    cluster, owner_key, use, labels, at)
ORDER BY at
RETURNING kind, vrf_id, address, event_id, event_time
""")

# By the index of the address, backwards: others may have held it since.
_RELEASED = statements.Statement("""
SELECT asked.address FROM unnest(CAST(:addresses AS inet[]), CAST(:networks AS text[]),
    CAST(:container_ids AS text[]), CAST(:interfaces AS text[]))
    AS asked (address, network, container_id, interface)
CROSS JOIN LATERAL (SELECT e.kind FROM events e
    WHERE e.vrf_id = :vrf_id AND e.address = asked.address AND e.network = asked.network
        AND e.container_id = asked.container_id AND e.interface = asked.interface
    ORDER BY e.event_id DESC LIMIT 1) AS newest
WHERE newest.kind = 'RELEASED'
""")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A change to be told of; a release tells of the assignment that it `ended`."""

    kind: Kind
    cause: Cause
    vrf_id: int
    address: addresses.Address
    block: addresses.Network
    pool: str
    attachment: model.AttachmentKey
    facts: model.Facts
    yielded: bool = False
    ended: model.Allocation | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the database adds to an event."""

    generation: int
    time: datetime.datetime


Key = tuple[str, int, addresses.Address]


def write(connection: sa.Connection, told: Sequence[Event]) -> dict[Key, Told]:
    """Writes events in this order; returns what was added, by kind, VRF and address."""
    keys, ended = [each.attachment for each in told], [each.ended for each in told]
    parameters = {
        "vrf_ids": arrays.numbers(each.vrf_id for each in told),
        "kinds": arrays.texts(each.kind.value for each in told),
        "causes": arrays.texts(each.cause.value for each in told),
        "addresses": arrays.texts(str(each.address) for each in told),
        "blocks": arrays.texts(str(each.block) for each in told),
        "pools": arrays.texts(each.pool for each in told),
        "assign_generations": arrays.numbers(each.generation if each else None for each in ended),
        "assign_times": arrays.texts(
            each.assign_time.isoformat() if each else None for each in ended
        ),
        "yieldeds": arrays.texts("t" if each.yielded else "f" for each in told),
        "networks": arrays.texts(key.network for key in keys),
        "container_ids": arrays.texts(key.container_id for key in keys),
        "interfaces": arrays.texts(key.interface for key in keys),
        **arrays.facts([each.facts for each in told]),
    }
    rows = _WRITE.rows(connection, parameters)
    return {
        (row.kind, row.vrf_id, row.address): Told(generation=row.event_id, time=row.event_time)
        for row in rows
    }


def released(
    connection: sa.Connection,
    vrf_id: int,
    asked: Collection[tuple[addresses.Address, model.AttachmentKey]],
) -> set[addresses.Address]:
    """Which of these addresses the attachment named with each has had and released.

    That stays so for as long as the attachments are locked.
    """
    keys = [key for _, key in asked]
    parameters = {
        "vrf_id": vrf_id,
        "addresses": arrays.texts(str(address) for address, _ in asked),
        "networks": arrays.texts(key.network for key in keys),
        "container_ids": arrays.texts(key.container_id for key in keys),
        "interfaces": arrays.texts(key.interface for key in keys),
    }
    return set(_RELEASED.values(connection, parameters))
