"""Rows of blocks and frontiers: locking what a decision needs, writing what it changed.

Locked after the attachment, and a frontier after the blocks that are open. Two ways:

* skipping: rows that others hold are left out, and the answer says whether there
  were any, so that "nothing there" and "nothing that is not locked" are never
  confused;
* waiting, under the transaction's lock_timeout, for one request alone.
"""

import json
from collections.abc import Collection, Iterable, Sequence

import sqlalchemy as sa

from moorage_server.domain import addresses, blocks, needs, shelf
from moorage_server.storage import allocations, arrays, cooling, locks

_UNSEEN = """
FROM blocks WHERE vrf_id = :vrf_id AND {condition} AND {rows}
    AND cidr <> ALL (CAST(:seen AS cidr[])) AND NOT cidr <<= ANY (CAST(:hidden AS cidr[]))
"""
_ROOM = "has_room AND (cardinality(free) > 0 OR next_ready_time <= :now)"
_NOW = "CAST(:now AS timestamptz)"
_EMPTY = f"(is_empty OR next_ready_time <= :now AND {cooling.is_empty(_NOW)})"
_OF_POOLS = "pool_id = ANY (CAST(:pool_ids AS bigint[]))"
_CONDITIONS = {
    needs.OwnBlocks: (f"node = :node AND {_OF_POOLS}", _ROOM),
    needs.UnownedBlocks: (f"node IS NULL AND {_OF_POOLS}", _ROOM),
    needs.AnyBlocks: (_OF_POOLS, _ROOM),
    needs.EmptyBlocks: (f"node = :node AND {_OF_POOLS}", _EMPTY),
    needs.IdleBlocks: (
        f"node <> :node AND claim_time <= :claimed_before AND {_OF_POOLS}",
        _EMPTY,
    ),
}


class _Look:
    """One question in its three forms: skipping, waiting, and whether there is anything."""

    def __init__(self, columns: str, source: str, tail: str = "") -> None:
        query = f"SELECT {columns} {source} {tail} FOR UPDATE"
        self.waiting = sa.text(query)
        self.skipping = sa.text(f"{query} SKIP LOCKED")
        self.exists = sa.text(f"SELECT EXISTS (SELECT {source})")


_BLOCK = "pool_id, cidr, node, free, claim_time, cooling"
_LOOKS = {
    kind: _Look(
        _BLOCK, _UNSEEN.format(condition=condition, rows=rows), "ORDER BY cidr LIMIT :limit"
    )
    for kind, (condition, rows) in _CONDITIONS.items()
}
# As a pair, which only the primary key's index knows how to compare: the one of the
# exclusion constraint costs several times as much.
_AT_CIDR = _Look(
    _BLOCK,
    "FROM blocks WHERE (vrf_id, cidr) >= (:vrf_id, CAST(:cidr AS cidr))"
    " AND (vrf_id, cidr) <= (:vrf_id, CAST(:cidr AS cidr))",
)
_AT_FRONTIER = _Look(
    "pool_id, unused", "FROM pool_frontiers WHERE vrf_id = :vrf_id AND pool_id = :pool_id"
)
_KEPT = {
    kind: _Look(
        _BLOCK,
        _UNSEEN.format(
            condition=condition,
            rows="next_ready_time IS NOT NULL"
            " AND cooling @> jsonb_build_array(jsonb_build_array(CAST(:owner AS text)))",
        ),
        "ORDER BY cidr LIMIT 1",
    )
    for kind, (condition, _) in _CONDITIONS.items()
}
_COOLING = {
    kind: sa.text(
        "SELECT coalesce(sum(jsonb_array_length(cooling)), 0) AS cooling_count,"
        " min(next_ready_time) AS ready_time"
        + _UNSEEN.format(condition=condition, rows="has_room AND next_ready_time IS NOT NULL")
    )
    for kind, (condition, _) in _CONDITIONS.items()
}
_OWNED = sa.text("""
SELECT count(*) FROM blocks WHERE vrf_id = :vrf_id AND node = :node
    AND pool_id = ANY (CAST(:pool_ids AS bigint[])) AND cidr <> ALL (CAST(:seen AS cidr[]))
""")
_LABELS = sa.text("SELECT labels FROM nodes WHERE vrf_id = :vrf_id AND name = :node")

_OPEN = sa.text("""
INSERT INTO blocks (vrf_id, cidr, pool_id, pool_cidr, node, claim_time, free, cooling,
    next_ready_time)
SELECT :vrf_id, cidr, pool_id,
    (SELECT p.cidr FROM pools p WHERE p.vrf_id = :vrf_id AND p.pool_id = new.pool_id),
    node, claim_time, CAST(free AS smallint[]), cooling, next_ready_time
FROM unnest(CAST(:cidrs AS cidr[]), CAST(:pool_ids AS bigint[]), CAST(:nodes AS text[]),
    CAST(:claim_times AS timestamptz[]), CAST(:frees AS text[]), CAST(:coolings AS jsonb[]),
    CAST(:ready_times AS timestamptz[]))
    AS new (cidr, pool_id, node, claim_time, free, cooling, next_ready_time)
""")
_CHANGE = sa.text("""
UPDATE blocks SET free = CAST(new.free AS smallint[]), node = new.node,
    claim_time = new.claim_time, cooling = new.cooling, next_ready_time = new.next_ready_time,
    change_time = clock_timestamp()
FROM unnest(CAST(:cidrs AS cidr[]), CAST(:nodes AS text[]), CAST(:claim_times AS timestamptz[]),
    CAST(:frees AS text[]), CAST(:coolings AS jsonb[]), CAST(:ready_times AS timestamptz[]))
    AS new (cidr, node, claim_time, free, cooling, next_ready_time)
WHERE vrf_id = :vrf_id AND blocks.cidr = ANY (CAST(:cidrs AS cidr[])) AND blocks.cidr = new.cidr
""")
_CLOSE = sa.text(
    "DELETE FROM blocks WHERE vrf_id = :vrf_id AND cidr = ANY (CAST(:cidrs AS cidr[]))"
)
_ADVANCE = sa.text("""
UPDATE pool_frontiers SET unused = CAST(
    (CAST(:unused AS text[]))[array_position(CAST(:pool_ids AS bigint[]), pool_id)]
    AS nummultirange)
WHERE vrf_id = :vrf_id AND pool_id = ANY (CAST(:pool_ids AS bigint[]))
""")


class Inquiry:
    """Answers what the decisions of one transaction in one VRF need to see."""

    def __init__(
        self, connection: sa.Connection, vrf_id: int, on: shelf.Shelf, *, waiting: bool
    ) -> None:
        """With `waiting`, locks that others hold are waited for; else they are passed over."""
        self._connection = connection
        self._vrf_id = vrf_id
        self._on = on
        self._waiting = waiting

    def answer(self, need: needs.Need) -> needs.Answer:
        """Locks the rows that a need is about and reads them."""
        match need:
            case needs.MoreRoom():
                return self._more_room(need)
            case needs.OwnedCount():
                return self._owned_count(need)
            case needs.HoldersOf():
                where = self._connection, self._vrf_id, need.vrf
                return needs.Answer(held=tuple(allocations.among(*where, need.addresses).values()))
            case needs.HeldByOwner():
                where = self._connection, self._vrf_id, need.owner_key
                return needs.Answer(held=allocations.of_owner(*where, beside=need.beside))
            case needs.NodeLabels():
                labels = self._connection.scalar(_LABELS, self._parameters(node=need.node))
                return needs.Answer(labels=labels or {})
            case _:
                return self._look(*self._rows(need))

    def _rows(
        self, need: needs.Search | needs.KeptBlocks | needs.BlockAt | needs.PoolFrontier
    ) -> tuple[_Look, dict[str, object]]:
        match need:
            case needs.BlockAt():
                return _AT_CIDR, self._parameters(cidr=str(need.cidr))
            case needs.PoolFrontier():
                return _AT_FRONTIER, self._parameters(pool_id=need.pool_id)
            case needs.KeptBlocks():
                return _KEPT[type(need.within)], {**self._unseen(need.within), "owner": need.owner}
            case _:
                # One block serves most batches; where it did not, ask for ever more.
                limit = 4 ** self._on.asked(need)
                return _LOOKS[type(need)], {**self._unseen(need), "limit": limit}

    def _look(self, look: _Look, parameters: dict[str, object]) -> needs.Answer:
        query = look.waiting if self._waiting else look.skipping
        rows = self._connection.execute(query, parameters).all()
        # The second look, taken only where the first found nothing: it takes no lock,
        # so it sees what is locked by others. After waiting it is needed as well: the
        # row waited for may have filled up while another, passed over, got room.
        contended = not rows and bool(self._connection.scalar(look.exists, parameters))
        if look is _AT_FRONTIER:
            frontier = next((_frontier(row) for row in rows), None)
            return needs.Answer(frontier=frontier, contended=contended)
        return needs.Answer(found=tuple(map(_block, rows)), contended=contended)

    def _more_room(self, need: needs.MoreRoom) -> needs.Answer:
        each_unseen = [(type(search), self._unseen(search)) for search in need.searches]
        if any(self._connection.scalar(_LOOKS[kind].exists, its) for kind, its in each_unseen):
            return needs.Answer(contended=True)
        rows = [self._connection.execute(_COOLING[kind], its).one() for kind, its in each_unseen]
        times = [row.ready_time for row in rows if row.ready_time is not None]
        return needs.Answer(
            count=sum(row.cooling_count for row in rows), ready_time=min(times, default=None)
        )

    def _owned_count(self, need: needs.OwnedCount) -> needs.Answer:
        name = f"{self._vrf_id}/{need.node}"
        if not locks.take(self._connection, locks.Class.NODE, name, waiting=self._waiting):
            return needs.Answer(contended=True)
        # A statement of its own: one that began before the lock was given would not
        # see what its last holder committed.
        pool_ids = arrays.numbers(need.pool_ids)
        parameters = self._parameters(node=need.node, pool_ids=pool_ids, seen=self._seen())
        return needs.Answer(count=self._connection.scalar(_OWNED, parameters) or 0)

    def _unseen(self, need: needs.Search) -> dict[str, object]:
        asked = self._parameters(
            pool_ids=arrays.numbers(need.pool_ids),
            now=self._on.now,
            seen=self._seen(),
            hidden=arrays.texts(map(str, self._on.hidden)),
        )
        if isinstance(need, needs.OwnBlocks | needs.EmptyBlocks | needs.IdleBlocks):
            asked["node"] = need.node
        if isinstance(need, needs.IdleBlocks):
            asked["claimed_before"] = need.claimed_before
        return asked

    def _seen(self) -> str:
        return arrays.texts(map(str, self._on.known()))

    def _parameters(self, **asked: object) -> dict[str, object]:
        return {"vrf_id": self._vrf_id, **asked}


def write(connection: sa.Connection, vrf_id: int, on: shelf.Shelf) -> None:
    """Writes every change on a shelf but the closing of blocks."""
    if opened := on.opened():
        pool_ids = arrays.numbers(each.pool_id for each in opened)
        connection.execute(_OPEN, {"vrf_id": vrf_id, "pool_ids": pool_ids, **_columns(opened)})
    if changed := on.changed():
        connection.execute(_CHANGE, {"vrf_id": vrf_id, **_columns(changed)})
    if advanced := on.advanced():
        _advance(connection, vrf_id, advanced)


def close(connection: sa.Connection, vrf_id: int, on: shelf.Shelf) -> None:
    """Removes the blocks that were closed; after the allocations that lay in them."""
    if closed := on.closed():
        remove(connection, vrf_id, closed)


def remove(connection: sa.Connection, vrf_id: int, cidrs: Iterable[addresses.Network]) -> None:
    """Removes the rows of empty blocks; their indexes are the frontier's from then on."""
    connection.execute(_CLOSE, {"vrf_id": vrf_id, "cidrs": arrays.texts(map(str, cidrs))})


def _advance(
    connection: sa.Connection, vrf_id: int, frontiers: Collection[blocks.Frontier]
) -> None:
    parameters = {
        "vrf_id": vrf_id,
        "pool_ids": arrays.numbers(each.pool_id for each in frontiers),
        "unused": arrays.texts(arrays.multirange(each.unused) for each in frontiers),
    }
    connection.execute(_ADVANCE, parameters)


def _columns(rows: Sequence[blocks.Block]) -> dict[str, object]:
    ready = [min((each.ready_time for each in row.cooling), default=None) for row in rows]
    return {
        "cidrs": arrays.texts(str(each.cidr) for each in rows),
        "nodes": arrays.texts(each.node for each in rows),
        "claim_times": arrays.texts(each.claim_time.isoformat() for each in rows),
        "frees": arrays.texts(arrays.numbers(each.free) for each in rows),
        "coolings": arrays.texts(_cooling_json(each) for each in rows),
        "ready_times": arrays.texts(each.isoformat() if each else None for each in ready),
    }


def _cooling_json(block: blocks.Block) -> str:
    return json.dumps(
        [
            [each.ordinal, cooling.microseconds(each.ready_time), each.owner]
            for each in block.cooling
        ]
    )


def _cooling(kept: tuple[int, int, str]) -> blocks.Cooling:
    ordinal, microseconds, owner = kept
    ready_time = cooling.time_of(microseconds)
    return blocks.Cooling(ordinal=ordinal, ready_time=ready_time, owner=owner)


def _block(row: arrays.Row) -> blocks.Block:
    return blocks.Block(
        pool_id=row.pool_id,
        cidr=row.cidr,
        node=row.node,
        free=tuple(row.free),
        claim_time=row.claim_time,
        cooling=tuple(map(_cooling, row.cooling)),
    )


def _frontier(row: arrays.Row) -> blocks.Frontier:
    runs = tuple((int(run.lower), int(run.upper)) for run in row.unused)
    return blocks.Frontier(pool_id=row.pool_id, unused=runs)
