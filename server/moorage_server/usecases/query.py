"""Queries: who holds an address, and which allocations there are."""

import dataclasses
from collections.abc import Mapping, Sequence

from moorage_server.domain import addresses, catalog, errors, model, resources
from moorage_server.storage import allocations, catalogs, database, held


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some of what is held in a VRF, in order of address; the pools go by the texts of blocks."""

    vrf: str
    rows: Sequence[held.Held]
    pools: Mapping[str, resources.Pool]

    @classmethod
    def of(cls, known: catalog.Catalog, rows: Sequence[held.Held]) -> "Page":
        """Rows of the catalog's VRF."""
        pools = known.pools_of(each.alike.block for each in rows)
        return cls(vrf=known.vrf, rows=rows, pools=pools)


def get(
    store: database.Database,
    limits: database.Limits,
    compiled: catalogs.Catalogs,
    *,
    vrf: str,
    address: addresses.Address,
    bounds: model.Bounds = model.UNBOUND,
) -> catalog.Shown:
    """The allocation of an address; raises AllocationNotFound.

    To a node or tenant that asks, raises NotYours for whatever it does not hold, and says no more.
    """

    def work(transaction: database.Transaction) -> catalog.Shown:
        known = compiled.require(transaction, vrf).catalog
        found = allocations.get(transaction, known.vrf_id, vrf, address)
        is_own = found is not None and bounds.include(found.facts.workload)
        if bounds is not model.UNBOUND and not is_own:
            raise errors.NotYours(node=bounds.node, tenant=bounds.tenant)
        if found is None:
            raise errors.AllocationNotFound(vrf, str(address))
        return known.show([found])[0]

    return store.run(work, limits, snapshot=True)


def page(
    store: database.Database,
    limits: database.Limits,
    compiled: catalogs.Catalogs,
    *,
    wanted: model.AllocationFilter,
    pools: tuple[str, ...],
    after: addresses.Address | None,
    size: int,
) -> tuple[Page, bool]:
    """A page of allocations in order of address, and whether more follow.

    With `pools`, only of these; raises PoolNotFound.
    """

    def work(transaction: database.Transaction) -> tuple[Page, bool]:
        known = compiled.require(transaction, wanted.vrf).catalog
        narrowed = dataclasses.replace(
            wanted, pools=tuple(known.named(each).pool.cidr for each in pools)
        )
        found = held.page(transaction, known.vrf_id, narrowed, after=after, limit=size + 1)
        return Page.of(known, found[:size]), len(found) > size

    return store.run(work, limits, snapshot=True)
