"""Rows of blocks and frontiers: locking what a decision needs, writing what it changed.

Locked after the attachment, and a frontier after the blocks that are open. Two ways:

* skipping: rows that others hold are left out, and the answer says whether there
  were any, so that "nothing there" and "nothing that is not locked" are never
  confused;
* waiting, under the transaction's lock_timeout, for one request alone.
"""

from collections.abc import Collection, Sequence

import sqlalchemy as sa

from moorage_server.domain import addresses, blocks, shelf
from moorage_server.storage import arrays

_ROOM = """
FROM blocks WHERE vrf_id = :vrf_id AND {condition} AND has_room
    AND cidr <> ALL (CAST(:seen AS cidr[])) AND NOT cidr <<= ANY (CAST(:hidden AS cidr[]))
"""
_OWN = _ROOM.format(condition="node = :node AND pool_id = ANY (CAST(:pool_ids AS bigint[]))")
_UNOWNED = _ROOM.format(condition="node IS NULL AND pool_id = ANY (CAST(:pool_ids AS bigint[]))")
_ANY = _ROOM.format(condition="pool_id = ANY (CAST(:pool_ids AS bigint[]))")
_AT = "FROM blocks WHERE vrf_id = :vrf_id AND cidr = CAST(:cidr AS cidr)"
_FRONTIER = "FROM pool_frontiers WHERE vrf_id = :vrf_id AND pool_id = :pool_id"


class _Look:
    """One question in its three forms: skipping, waiting, and whether there is anything."""

    def __init__(self, columns: str, source: str, tail: str = "") -> None:
        query = f"SELECT {columns} {source} {tail} FOR UPDATE"
        self.waiting = sa.text(query)
        self.skipping = sa.text(f"{query} SKIP LOCKED")
        self.exists = sa.text(f"SELECT EXISTS (SELECT {source})")


_BLOCK = "pool_id, cidr, node, free"
_LOOKS = {
    shelf.OwnBlocks: _Look(_BLOCK, _OWN, "ORDER BY cidr LIMIT :limit"),
    shelf.UnownedBlocks: _Look(_BLOCK, _UNOWNED, "ORDER BY cidr LIMIT :limit"),
    shelf.AnyBlock: _Look(_BLOCK, _ANY, "ORDER BY cidr LIMIT :limit"),
    shelf.BlockAt: _Look(_BLOCK, _AT),
    shelf.PoolFrontier: _Look("pool_id, unused", _FRONTIER),
}
_MORE_ROOM = _LOOKS[shelf.AnyBlock].exists

_OPEN = sa.text("""
INSERT INTO blocks (vrf_id, cidr, pool_id, pool_cidr, node, free)
SELECT :vrf_id, cidr, pool_id,
    (SELECT p.cidr FROM pools p WHERE p.vrf_id = :vrf_id AND p.pool_id = new.pool_id),
    node, CAST(free AS smallint[])
FROM unnest(CAST(:cidrs AS cidr[]), CAST(:pool_ids AS bigint[]), CAST(:nodes AS text[]),
    CAST(:frees AS text[])) AS new (cidr, pool_id, node, free)
""")
_CHANGE = sa.text("""
UPDATE blocks SET free = CAST(
    (CAST(:frees AS text[]))[array_position(CAST(:cidrs AS cidr[]), cidr)] AS smallint[])
WHERE vrf_id = :vrf_id AND cidr = ANY (CAST(:cidrs AS cidr[]))
""")
_ADVANCE = sa.text("""
UPDATE pool_frontiers SET unused = CAST(
    (CAST(:unused AS text[]))[array_position(CAST(:pool_ids AS bigint[]), pool_id)]
    AS nummultirange)
WHERE vrf_id = :vrf_id AND pool_id = ANY (CAST(:pool_ids AS bigint[]))
""")


def answer(
    connection: sa.Connection,
    vrf_id: int,
    need: shelf.Need,
    on: shelf.Shelf,
    *,
    waiting: bool,
) -> shelf.Answer:
    """Locks the rows that a need is about and reads them."""
    parameters = _parameters(vrf_id, need, on)
    if isinstance(need, shelf.MoreRoom):
        return shelf.Answer(contended=bool(connection.scalar(_MORE_ROOM, parameters)))
    look = _LOOKS[type(need)]
    rows = connection.execute(look.waiting if waiting else look.skipping, parameters).all()
    # The second look, taken only where the first found nothing: it takes no lock,
    # so it sees what is locked by others. After waiting it is needed as well: the
    # row waited for may have filled up while another, passed over, got room.
    contended = not rows and bool(connection.scalar(look.exists, parameters))
    if isinstance(need, shelf.PoolFrontier):
        frontier = next((_frontier(row) for row in rows), None)
        return shelf.Answer(frontier=frontier, contended=contended)
    return shelf.Answer(found=tuple(_block(row) for row in rows), contended=contended)


def write(connection: sa.Connection, vrf_id: int, on: shelf.Shelf) -> None:
    """Writes every change on a shelf."""
    opened = [on.blocks[cidr] for cidr in sorted(on.opened, key=_order)]
    changed = [on.blocks[cidr] for cidr in sorted(on.changed - on.opened, key=_order)]
    if opened:
        connection.execute(_OPEN, {"vrf_id": vrf_id, **_owners(opened), **_queues(opened)})
    if changed:
        connection.execute(_CHANGE, {"vrf_id": vrf_id, **_queues(changed)})
    if on.advanced:
        _advance(connection, vrf_id, [on.frontiers[each] for each in sorted(on.advanced)])


def _advance(
    connection: sa.Connection, vrf_id: int, frontiers: Collection[blocks.Frontier]
) -> None:
    parameters = {
        "vrf_id": vrf_id,
        "pool_ids": arrays.numbers(each.pool_id for each in frontiers),
        "unused": arrays.texts(arrays.multirange(each.unused) for each in frontiers),
    }
    connection.execute(_ADVANCE, parameters)


def _parameters(vrf_id: int, need: shelf.Need, on: shelf.Shelf) -> dict[str, object]:
    match need:
        case shelf.BlockAt():
            return {"vrf_id": vrf_id, "cidr": str(need.cidr)}
        case shelf.PoolFrontier():
            return {"vrf_id": vrf_id, "pool_id": need.pool_id}
        case shelf.AnyBlock():
            asked: dict[str, object] = {"pool_ids": arrays.numbers([need.pool_id])}
        case shelf.OwnBlocks():
            asked = {"pool_ids": arrays.numbers(need.pool_ids), "node": need.node}
        case shelf.UnownedBlocks() | shelf.MoreRoom():
            asked = {"pool_ids": arrays.numbers(need.pool_ids)}
    seen = arrays.texts(map(str, on.blocks))
    # One block serves most batches; where it did not, ask for ever more.
    hidden = arrays.texts(map(str, on.hidden))
    return {"vrf_id": vrf_id, "seen": seen, "hidden": hidden, "limit": 4 ** on.asked(need), **asked}


def _queues(rows: Sequence[blocks.Block]) -> dict[str, object]:
    return {
        "cidrs": arrays.texts(str(each.cidr) for each in rows),
        "frees": arrays.texts(arrays.numbers(each.free) for each in rows),
    }


def _owners(rows: Sequence[blocks.Block]) -> dict[str, object]:
    return {
        "pool_ids": arrays.numbers(each.pool_id for each in rows),
        "nodes": arrays.texts(each.node for each in rows),
    }


def _order(cidr: addresses.Network) -> tuple[int, int]:
    return cidr.version, int(cidr.network_address)


def _block(row: arrays.Row) -> blocks.Block:
    return blocks.Block(pool_id=row.pool_id, cidr=row.cidr, node=row.node, free=tuple(row.free))


def _frontier(row: arrays.Row) -> blocks.Frontier:
    runs = tuple((int(run.lower), int(run.upper)) for run in row.unused)
    return blocks.Frontier(pool_id=row.pool_id, unused=runs)
