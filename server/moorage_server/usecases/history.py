"""Who held addresses, and when."""

import dataclasses
import heapq

from moorage_server.domain import catalog, history
from moorage_server.storage import actors, allocations, catalogs, database
from moorage_server.storage import history as rows


def page(
    store: database.Database,
    limits: database.Limits,
    compiled: catalogs.Catalogs,
    question: history.Question,
) -> history.Page:
    """A page of what was held in a period; raises VrfNotFound or PoolNotFound.

    In order of generation, because that is what a holding keeps when it ends: whatever
    was held when the first page was read, and whatever had ended, has one place in this
    order, and is told when that is reached, from either table. Both are read in one
    snapshot, so that none is missed in between.
    """

    size = question.size

    def work(transaction: database.Transaction) -> history.Page:
        scope = compiled.require(transaction, question.wanted.vrf)
        known, retention = scope.catalog, scope.catalog.configuration.history_retention
        memory = history.Memory.of(retention, scope.now, rows.kept_since(transaction))
        found = _found(transaction, known, question, memory.narrowed(question.during))
        page = found[:size]
        if question.tells_actors:
            page = _attributed(transaction, known.vrf_id, page)
        return history.Page(holdings=page, more=len(found) > size, known_since=memory.known_since)

    return store.run(work, limits, snapshot=True)


def _found(
    transaction: database.Transaction,
    known: catalog.Catalog,
    question: history.Question,
    remembered: history.Period,
) -> tuple[history.Holding, ...]:
    """The next holdings, in order of generation: as many as are asked for, and one more."""
    pools = tuple(known.named(each).pool.cidr for each in question.pools)
    narrowed, limit = dataclasses.replace(question.wanted, pools=pools), question.size + 1
    ended = rows.released(
        transaction, known.vrf_id, narrowed, during=remembered, after=question.after, limit=limit
    )
    held = allocations.assigned(
        transaction,
        known.vrf_id,
        narrowed,
        before=question.during.end,
        after=question.after,
        limit=limit,
    )
    live = [
        history.Holding(allocation=shown.allocation, pool=shown.pool.name)
        for shown in known.show(held)
    ]
    return tuple(heapq.merge(ended, live, key=lambda each: each.allocation.generation))


def _attributed(
    transaction: database.Transaction, vrf_id: int, page: tuple[history.Holding, ...]
) -> tuple[history.Holding, ...]:
    """The same, with those who assigned and released, as far as that is known."""
    began = [(each.allocation.generation, each.allocation.assign_time) for each in page]
    ended = [(each.end.generation, each.end.time) for each in page if each.end is not None]
    acts = actors.of_events(transaction, vrf_id, [*began, *ended])

    def attributed(each: history.Holding) -> history.Holding:
        end = each.end and dataclasses.replace(each.end, by=acts.get(each.end.generation))
        begun_by = acts.get(each.allocation.generation)
        return dataclasses.replace(each, end=end, begun_by=begun_by)

    return tuple(map(attributed, page))
