"""Who held addresses, and when."""

import dataclasses
import heapq

from moorage_server.domain import history, model
from moorage_server.storage import allocations, catalogs, database
from moorage_server.storage import history as rows


def page(
    store: database.Database,
    limits: database.Limits,
    compiled: catalogs.Catalogs,
    *,
    wanted: model.AllocationFilter,
    pools: tuple[str, ...],
    during: history.Period,
    after: int,
    size: int,
) -> history.Page:
    """A page of what was held in a period, from the generation behind `after`.

    With `pools`, only of these; raises VrfNotFound or PoolNotFound.

    In order of generation, because that is what a holding keeps when it ends: whatever
    was held when the first page was read, and whatever had ended, has one place in this
    order, and is told when that is reached, from either table. Both are read in one
    snapshot, so that none is missed in between.
    """

    def work(transaction: database.Transaction) -> history.Page:
        scope = compiled.require(transaction, wanted.vrf)
        known, retention = scope.catalog, scope.catalog.configuration.history_retention
        memory = history.Memory.of(retention, scope.now, rows.kept_since(transaction))
        narrowed = dataclasses.replace(
            wanted, pools=tuple(known.named(each).pool.cidr for each in pools)
        )
        ended = rows.released(
            transaction,
            known.vrf_id,
            narrowed,
            during=memory.narrowed(during),
            after=after,
            limit=size + 1,
        )
        held = allocations.assigned(
            transaction, known.vrf_id, narrowed, before=during.end, after=after, limit=size + 1
        )
        live = [
            history.Holding(allocation=shown.allocation, pool=shown.pool.name)
            for shown in known.show(held)
        ]
        found = tuple(heapq.merge(ended, live, key=lambda each: each.allocation.generation))
        return history.Page(
            holdings=found[:size], more=len(found) > size, known_since=memory.known_since
        )

    return store.run(work, limits, snapshot=True)
