"""What is held and what is told of it, changed together: each change has its event.

An event's id is the generation of what it tells of. It is drawn after the block of the address
was locked, so for one address ids grow in the order of the changes, and whoever drew
one holds a transaction id that can be waited for.
"""

import datetime
import itertools
from collections.abc import Sequence

import sqlalchemy as sa

from moorage_server.domain import addresses, adoption, catalog, model
from moorage_server.domain.actors import Act
from moorage_server.domain.history import Cause
from moorage_server.domain.setting import Placed
from moorage_server.storage import arrays, attachments, database, statements

_WHOSE = """network, container_id, interface, node, namespace, pod, pod_uid, cluster, owner_key,
    use, labels"""

# One row for each address; of an attachment's first one it is written itself.
_ASSIGN_TEXT = """
WITH new AS MATERIALIZED (
    SELECT nextval('events_event_id_seq') AS event_id, clock_timestamp() AS event_time, given.*
    FROM unnest(CAST(:addresses AS inet[]), CAST(:blocks AS cidr[]), CAST(:pools AS text[]),
        CAST(:positions AS smallint[]), CAST(:yieldeds AS boolean[]), CAST(:actors AS uuid[]),
        CAST(:request_ids AS text[]), {arrays})
        AS given (address, block, pool, position, yielded, actor_uid, request_id, {columns})
), held AS (
    {held}
), told AS (
    INSERT INTO events (event_id, event_time, vrf_id, kind, cause, address, block, pool, yielded,
        actor_uid, request_id, {whose})
    SELECT event_id, event_time, :vrf_id, 'ASSIGNED', 'REQUESTED', address, block, pool, yielded,
        actor_uid, request_id,
        {whose} FROM new
)
INSERT INTO allocations (vrf_id, address, block, attachment_uid, position, generation, assign_time,
    yielded)
SELECT :vrf_id, address, block, uid, position, event_id, event_time, yielded FROM new
RETURNING address, generation, assign_time
"""

# Behind what an attachment holds already: its positions may have gaps.
_ADOPT_TEXT = """
WITH new AS MATERIALIZED (
    SELECT nextval('events_event_id_seq') AS event_id, clock_timestamp() AS event_time, given.*
    FROM unnest(CAST(:addresses AS inet[]), CAST(:uids AS uuid[]), CAST(:positions AS smallint[]))
        AS given (address, uid, position)
), told AS (
    INSERT INTO events (event_id, event_time, vrf_id, kind, cause, address, block, pool, actor_uid,
        request_id, {whose})
    SELECT event_id, event_time, :vrf_id, 'ASSIGNED', 'ADOPTED', address, CAST(:block AS cidr),
        :pool, CAST(:actor AS uuid), :request_id, {whose}
    FROM new CROSS JOIN LATERAL (SELECT {whose} FROM attachments a WHERE a.uid = new.uid LIMIT 1)
        AS whose
)
INSERT INTO allocations (vrf_id, address, block, attachment_uid, position, generation, assign_time)
SELECT :vrf_id, address, CAST(:block AS cidr), uid, position + coalesce((SELECT max(l.position) + 1
    FROM allocations l WHERE l.attachment_uid = new.uid AND l.vrf_id = :vrf_id), 0),
    event_id, event_time
FROM new
"""

# Each only at its generation, by which it is found (decision 5). What is told of who held it is
# what its row says: it is locked.
_RELEASE_TEXT = """
WITH gone AS (
    DELETE FROM allocations l USING unnest(CAST(:addresses AS inet[]),
        CAST(:generations AS bigint[]), CAST(:causes AS text[]), CAST(:pools AS text[]),
        CAST(:actors AS uuid[]), CAST(:request_ids AS text[])) WITH ORDINALITY
        AS given (address, generation, cause, pool, actor, request_id, at)
    WHERE l.generation = given.generation AND l.vrf_id + 0 = :vrf_id AND l.address = given.address
    RETURNING l.address, l.block, l.attachment_uid, l.generation, l.assign_time, l.yielded,
        given.cause, given.pool, given.actor, given.request_id, given.at
)
INSERT INTO events (event_time, vrf_id, kind, cause, address, block, pool, assign_generation,
    assign_time, yielded, actor_uid, request_id, {whose})
-- Whatever the clock did meanwhile, nothing is released before it was assigned.
SELECT greatest(clock_timestamp(), assign_time), :vrf_id, 'RELEASED', cause, address, block, pool,
    generation, assign_time, yielded, actor, request_id, {whose}
FROM gone CROSS JOIN LATERAL (
    SELECT {whose} FROM attachments a WHERE a.uid = gone.attachment_uid LIMIT 1
) AS whose
ORDER BY at
"""

_PARTS = {
    "whose": _WHOSE,
    "columns": attachments.NEW_COLUMNS,
    "arrays": attachments.NEW_ARRAYS,
    "held": attachments.holding("new WHERE position = 0"),
}
_ASSIGN = statements.Statement(_ASSIGN_TEXT.format(**_PARTS))
_ADOPT = statements.Statement(_ADOPT_TEXT.format(**_PARTS))
_RELEASE = statements.Statement(_RELEASE_TEXT.format(**_PARTS))

Grants = Sequence[tuple[model.AssignRequest, Sequence[Placed]]]
Released = Sequence[tuple[catalog.Shown, Cause, Act]]
Granted = dict[model.AttachmentKey, tuple[model.Allocation, ...]]


def assign(connection: sa.Connection, vrf_id: int, granted: Grants) -> Granted:
    """Writes addresses, in the order asked for, and the attachments that hold them from now on.

    That an address is free is the block's lock's to know; that it has but one holder is the
    primary key's.
    """
    rows = [(request, at, each) for request, placed in granted for at, each in enumerate(placed)]
    parameters = {
        "addresses": arrays.texts(str(each.address) for _, _, each in rows),
        "blocks": arrays.texts(str(each.block) for _, _, each in rows),
        "pools": arrays.texts(each.offer.name for _, _, each in rows),
        "positions": arrays.numbers(at for _, at, _ in rows),
        "yieldeds": arrays.texts("t" if each.yielded else "f" for _, _, each in rows),
        **_by([asked.by for asked, _, _ in rows]),
        **attachments.new_columns(
            vrf_id, [(asked.attachment, asked.facts, asked.attempt) for asked, _, _ in rows]
        ),
    }
    told = {
        address: (generation, time)
        for address, generation, time in _ASSIGN.rows(connection, parameters)
    }
    return {
        request.attachment: tuple(_held(request, each, *told[each.address]) for each in placed)
        for request, placed in granted
    }


def _held(
    request: model.AssignRequest, placed: Placed, generation: int, time: datetime.datetime
) -> model.Allocation:
    return model.Allocation(
        attachment=request.attachment,
        address=placed.address,
        generation=generation,
        block=placed.block,
        assign_time=time,
        facts=request.facts,
        yielded=placed.yielded,
    )


def release(connection: sa.Connection, vrf_id: int, released: Released) -> None:
    """Removes addresses, each for a cause and by somebody.

    Raises Fault if one is not there: its attachment is locked and was seen to hold it, so an
    address would be freed twice.
    """
    held = [shown.allocation for shown, _, _ in released]
    parameters = {
        "vrf_id": vrf_id,
        "addresses": arrays.texts(str(each.address) for each in held),
        "generations": arrays.numbers(each.generation for each in held),
        "pools": arrays.texts(shown.pool.name for shown, _, _ in released),
        "causes": arrays.texts(cause.value for _, cause, _ in released),
        **_by([act for _, _, act in released]),
    }
    removed = _RELEASE.run(connection, parameters)
    if removed != len(released):
        raise database.Fault(f"{len(released)} allocations to remove, {removed} found")


def adopt(
    connection: sa.Connection,
    vrf_id: int,
    adopted: Sequence[adoption.Adoption],
    *,
    block: addresses.Network,
    pool: str,
    by: Act,
) -> None:
    """Writes addresses of one block that attachments, whose rows are there, have already."""
    behind: dict[model.AttachmentKey, itertools.count[int]] = {}
    places = [behind.setdefault(each.attachment, itertools.count()) for each in adopted]
    parameters = {
        "vrf_id": vrf_id,
        "block": str(block),
        "pool": pool,
        "actor": by.actor.uid,
        "request_id": by.request_id,
        "addresses": arrays.texts(str(each.address) for each in adopted),
        "uids": arrays.texts(str(each.attachment.uid(vrf_id)) for each in adopted),
        "positions": arrays.numbers(map(next, places)),
    }
    _ADOPT.run(connection, parameters)


def _by(acts: Sequence[Act]) -> dict[str, str]:
    return {
        "actors": arrays.texts(each.actor.uid for each in acts),
        "request_ids": arrays.texts(each.request_id for each in acts),
    }
