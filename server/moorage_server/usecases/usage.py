"""How many addresses a pool has, by what they are, and which blocks are open."""

import functools

from moorage_server.domain import addresses, errors, usage
from moorage_server.domain.offers import Offer
from moorage_server.storage import catalogs, database, vrfs
from moorage_server.storage import usage as rows

VRFS = 100  # read at once


def of_pool(
    store: database.Database,
    limits: database.Limits,
    compiled: catalogs.Catalogs,
    *,
    vrf: str,
    pool: str,
) -> usage.PoolUsage:
    """Counts the addresses of a pool; raises PoolNotFound, also where the VRF is not there."""

    def work(transaction: database.Transaction) -> usage.PoolUsage:
        return _of(transaction, *_pool(transaction, compiled, vrf, pool))

    return store.run(work, limits, snapshot=True)


def of_all(
    store: database.Database, limits: database.Limits, compiled: catalogs.Catalogs
) -> list[usage.NamedUsage]:
    """Counts the addresses of every pool, VRF by VRF."""
    found: list[usage.NamedUsage] = []
    after = ""
    while names := store.run(functools.partial(_vrfs, after=after), limits):
        for vrf in names:
            found += store.run(functools.partial(_of_vrf, compiled, vrf), limits, snapshot=True)
        after = names[-1]
    return found


def page(
    store: database.Database,
    limits: database.Limits,
    compiled: catalogs.Catalogs,
    *,
    vrf: str,
    pool: str,
    node: str,
    after: addresses.Network | None,
    size: int,
) -> tuple[list[usage.OpenBlock], bool]:
    """A page of open blocks in order of address, and whether more follow.

    With `pool`, only of it; with `node`, only its. Raises VrfNotFound or PoolNotFound.
    """

    def work(transaction: database.Transaction) -> list[usage.OpenBlock]:
        scope, of = compiled.find(transaction, vrf), None
        if pool:
            scope, of = _pool(transaction, compiled, vrf, pool)
        if scope is None:
            raise errors.VrfNotFound(vrf)
        return rows.blocks(transaction, scope, of=of, node=node, after=after, limit=size + 1)

    found = store.run(work, limits, snapshot=True)
    return found[:size], len(found) > size


def _vrfs(transaction: database.Transaction, *, after: str) -> list[str]:
    return [each.name for each in vrfs.page(transaction, labels={}, after=after, limit=VRFS)]


def _of_vrf(
    compiled: catalogs.Catalogs, vrf: str, transaction: database.Transaction
) -> list[usage.NamedUsage]:
    scope = compiled.find(transaction, vrf)
    if scope is None:
        return []  # it has just been deleted
    return [
        usage.NamedUsage(vrf=vrf, pool=each.name, usage=_of(transaction, scope, each))
        for each in scope.catalog.offers
    ]


def _of(transaction: database.Transaction, scope: catalogs.Scope, offer: Offer) -> usage.PoolUsage:
    return usage.PoolUsage(
        counts=rows.of_pool(transaction, scope, offer),
        open_blocks=rows.open_count(transaction, scope, offer),
    )


def _pool(
    transaction: database.Transaction, compiled: catalogs.Catalogs, vrf: str, pool: str
) -> tuple[catalogs.Scope, Offer]:
    scope = compiled.find(transaction, vrf)
    if scope is None:
        raise errors.PoolNotFound(vrf, pool)
    return scope, scope.catalog.named(pool)
