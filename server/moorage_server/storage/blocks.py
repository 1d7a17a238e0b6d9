"""Rows of blocks and frontiers: locking what a decision needs, writing what it changed.

Locked after the attachment, and a frontier after the blocks that are open. Two ways:

* skipping: rows that others hold are left out, and the answer says whether there
  were any, so that "nothing there" and "nothing that is not locked" are never
  confused;
* waiting, under the transaction's lock_timeout, for one request alone.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

import sqlalchemy as sa

from moorage_server.domain import addresses, blocks, needs, shelf
from moorage_server.storage import allocations, arrays, block_rows, locks, looks, statements

MOST_DOUBLINGS = 5  # 1,024 blocks looked at in one go

_OWNED = statements.Statement("""
SELECT count(*) FROM blocks WHERE vrf_id + 0 = :vrf_id AND node = :node
    AND pool_id = ANY (CAST(:pool_ids AS bigint[])) AND cidr <> ALL (CAST(:seen AS cidr[]))
""")
_LABELS = statements.Statement("SELECT labels FROM nodes WHERE vrf_id = :vrf_id AND name = :node")

_OPEN = statements.Statement("""
INSERT INTO blocks (vrf_id, cidr, pool_id, pool_cidr, node, claim_time, free, cooling, sticky,
    next_ready_tick)
SELECT :vrf_id, cidr, pool_id,
    (SELECT p.cidr FROM pools p WHERE p.vrf_id = :vrf_id AND p.pool_id = new.pool_id),
    node, claim_time, CAST(free AS smallint[]), cooling, sticky, next_ready_tick
FROM unnest(CAST(:cidrs AS cidr[]), CAST(:pool_ids AS bigint[]), CAST(:nodes AS text[]),
    CAST(:claim_times AS timestamptz[]), CAST(:frees AS text[]), CAST(:coolings AS jsonb[]),
    CAST(:stickies AS jsonb[]), CAST(:ready_ticks AS bigint[]))
    AS new (cidr, pool_id, node, claim_time, free, cooling, sticky, next_ready_tick)
""")
_CHANGE = statements.Statement("""
UPDATE blocks SET free = CAST(new.free AS smallint[]), node = new.node,
    claim_time = new.claim_time, cooling = new.cooling, sticky = new.sticky,
    next_ready_tick = new.next_ready_tick, change_time = clock_timestamp()
FROM unnest(CAST(:cidrs AS cidr[]), CAST(:nodes AS text[]), CAST(:claim_times AS timestamptz[]),
    CAST(:frees AS text[]), CAST(:coolings AS jsonb[]), CAST(:stickies AS jsonb[]),
    CAST(:ready_ticks AS bigint[]))
    AS new (cidr, node, claim_time, free, cooling, sticky, next_ready_tick)
WHERE (vrf_id, blocks.cidr) >= (:vrf_id, new.cidr) AND (vrf_id, blocks.cidr) <= (:vrf_id, new.cidr)
""")
_CLOSE = statements.Statement("""
DELETE FROM blocks USING unnest(CAST(:cidrs AS cidr[])) AS gone (cidr)
WHERE (vrf_id, blocks.cidr) >= (:vrf_id, gone.cidr)
    AND (vrf_id, blocks.cidr) <= (:vrf_id, gone.cidr)
""")
_ADVANCE = statements.Statement("""
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
                labels = _LABELS.value(self._connection, self._parameters(node=need.node))
                return needs.Answer(labels=labels or {})
            case _:
                return self._look(*self._rows(need))

    def foresee(self, wanted: Collection[needs.Foreseen]) -> None:
        """Puts on the shelf what these will find first, a statement for all that are alike.

        What is not found is left to be asked for: it may be locked, or not be there.
        """
        at = {each.cidr: each for each in wanted if isinstance(each, needs.BlockAt)}
        if len(at) > 1:
            parameters = self._parameters(cidrs=arrays.texts(map(str, at)))
            for row in looks.AT_EACH.rows(self._connection, parameters):
                self._on.add(at[row.cidr], needs.Answer(found=(block_rows.block(row),)))
        own = [each for each in wanted if isinstance(each, needs.OwnBlocks)]
        for pool_ids in dict.fromkeys(each.pool_ids for each in own):
            self._foresee_own({each.node: each for each in own if each.pool_ids == pool_ids})

    def _foresee_own(self, of: Mapping[str, needs.OwnBlocks]) -> None:
        if len(of) > 1:
            parameters = self._unseen(next(iter(of.values()))) | {"nodes": arrays.texts(of)}
            for row in looks.OWN_OF_EACH.rows(self._connection, parameters):
                self._on.add(of[row.node], needs.Answer(found=(block_rows.block(row),)))

    def _rows(
        self,
        need: needs.Search
        | needs.KeptBlocks
        | needs.StickyBlocks
        | needs.CoolestBlock
        | needs.BlockAt
        | needs.PoolFrontier,
    ) -> tuple[looks.Look, dict[str, object]]:
        match need:
            case needs.BlockAt():
                return looks.AT_CIDR, self._parameters(cidr=str(need.cidr))
            case needs.PoolFrontier():
                return looks.AT_FRONTIER, self._parameters(pool_id=need.pool_id)
            case needs.KeptBlocks():
                owner = {"owner": need.owner}
                return looks.KEPT[type(need.within)], {**self._unseen(need.within), **owner}
            case needs.StickyBlocks():
                whose = {
                    "owner_key": need.owner_key,
                    "network": need.network,
                    "interface": need.interface,
                }
                return looks.STICKY, {**self._unseen(need), **whose}
            case needs.CoolestBlock():
                before = {"before": need.before}
                return looks.COOLEST[type(need.within)], {**self._unseen(need.within), **before}
            case _:
                # One block serves most batches; where it did not, ask for ever more.
                limit = 4 ** min(self._on.asked(need), MOST_DOUBLINGS)
                return looks.ROOM[type(need)], {**self._unseen(need), "limit": limit}

    def _look(self, look: looks.Look, parameters: dict[str, object]) -> needs.Answer:
        rows: Sequence[arrays.Row] = ()
        for query in look.waiting if self._waiting else look.skipping:
            rows = rows or query.rows(self._connection, parameters)
        # The second look, taken only where the first found nothing: it takes no lock,
        # so it sees what is locked by others. After waiting it is needed as well: the
        # row waited for may have filled up while another, passed over, got room.
        contended = not rows and look.exists.value(self._connection, parameters)
        if look is looks.AT_FRONTIER:
            frontier = next(map(block_rows.frontier, rows), None)
            return needs.Answer(frontier=frontier, contended=contended)
        return needs.Answer(found=tuple(map(block_rows.block, rows)), contended=contended)

    def _more_room(self, need: needs.MoreRoom) -> needs.Answer:
        each_unseen = [(type(search), self._unseen(search)) for search in need.searches]
        if any(looks.ROOM[kind].exists.value(self._connection, its) for kind, its in each_unseen):
            return needs.Answer(contended=True)
        runs = [run for each in need.hidden for run in each]
        hidden = {
            "firsts": arrays.texts(str(run.family.address(run.first)) for run in runs),
            "lasts": arrays.texts(str(run.family.address(run.last)) for run in runs),
        }
        rows = [
            looks.WAITING[kind].row(self._connection, {**its, **hidden})
            for kind, its in each_unseen
        ]
        ticks = [row.ready_tick for row in rows if row.ready_tick is not None]
        return needs.Answer(
            count=sum(row.cooling_count for row in rows),
            ready_tick=min(ticks, default=None),
            sticky_count=sum(row.sticky_count for row in rows),
            hidden_count=self._hidden_count(hidden) if runs else 0,
        )

    def _hidden_count(self, hidden: dict[str, str]) -> int:
        limit = {"limit": looks.MOST_HIDDEN}
        return int(looks.HIDDEN.value(self._connection, self._parameters(**hidden, **limit)))

    def _owned_count(self, need: needs.OwnedCount) -> needs.Answer:
        name = f"{self._vrf_id}/{need.node}"
        if not locks.take(self._connection, locks.Class.NODE, name, waiting=self._waiting):
            return needs.Answer(contended=True)
        # A statement of its own: one that began before the lock was given would not
        # see what its last holder committed.
        pool_ids = arrays.numbers(need.pool_ids)
        parameters = self._parameters(node=need.node, pool_ids=pool_ids, seen=self._seen())
        return needs.Answer(count=_OWNED.value(self._connection, parameters))

    def _unseen(self, need: needs.Search | needs.StickyBlocks) -> dict[str, object]:
        asked = self._parameters(
            pool_ids=arrays.numbers(need.pool_ids),
            tick=self._on.tick,
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
        columns = block_rows.columns(opened)
        _OPEN.run(connection, {"vrf_id": vrf_id, "pool_ids": pool_ids, **columns})
    if changed := on.changed():
        _CHANGE.run(connection, {"vrf_id": vrf_id, **block_rows.columns(changed)})
    if advanced := on.advanced():
        _advance(connection, vrf_id, advanced)


def close(connection: sa.Connection, vrf_id: int, on: shelf.Shelf) -> None:
    """Removes the blocks that were closed; after the allocations that lay in them."""
    if closed := on.closed():
        remove(connection, vrf_id, closed)


def remove(connection: sa.Connection, vrf_id: int, cidrs: Iterable[addresses.Network]) -> None:
    """Removes the rows of empty blocks; their indexes are the frontier's from then on."""
    _CLOSE.run(connection, {"vrf_id": vrf_id, "cidrs": arrays.texts(map(str, cidrs))})


def _advance(
    connection: sa.Connection, vrf_id: int, frontiers: Collection[blocks.Frontier]
) -> None:
    parameters = {
        "vrf_id": vrf_id,
        "pool_ids": arrays.numbers(each.pool_id for each in frontiers),
        "unused": arrays.texts(arrays.multirange(each.unused) for each in frontiers),
    }
    _ADVANCE.run(connection, parameters)
