"""How many addresses a pool has, by what they are, and which blocks are open."""

from moorage_server.domain import addresses, errors, usage
from moorage_server.domain.offers import Offer
from moorage_server.storage import catalogs, database
from moorage_server.storage import usage as rows


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
        scope, offer = _pool(transaction, compiled, vrf, pool)
        return usage.PoolUsage(
            counts=rows.of_pool(transaction, scope, offer),
            open_blocks=rows.open_count(transaction, scope, offer),
        )

    return store.run(work, limits, snapshot=True)


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
        scope, of = _scope(transaction, compiled, vrf), None
        if pool:
            scope, of = _pool(transaction, compiled, vrf, pool)
        if scope is None:
            raise errors.VrfNotFound(vrf)
        return rows.blocks(transaction, scope, of=of, node=node, after=after, limit=size + 1)

    found = store.run(work, limits, snapshot=True)
    return found[:size], len(found) > size


def _pool(
    transaction: database.Transaction, compiled: catalogs.Catalogs, vrf: str, pool: str
) -> tuple[catalogs.Scope, Offer]:
    scope = _scope(transaction, compiled, vrf)
    if scope is None:
        raise errors.PoolNotFound(vrf, pool)
    return scope, scope.catalog.named(pool)


def _scope(
    transaction: database.Transaction, compiled: catalogs.Catalogs, vrf: str
) -> catalogs.Scope | None:
    return compiled.scopes(transaction, {(vrf, "")}).get((vrf, ""))
