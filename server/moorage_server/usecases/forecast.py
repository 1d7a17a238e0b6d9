"""How a pool has filled, and when it will be full."""

from moorage_server.domain import errors, forecast
from moorage_server.domain.history import Memory
from moorage_server.storage import catalogs, database, history
from moorage_server.storage import usage as rows


def of_pool(
    store: database.Database,
    limits: database.Limits,
    compiled: catalogs.Catalogs,
    *,
    vrf: str,
    pool: str,
    days: int,
) -> forecast.Forecast:
    """What to expect of a pool by its last days; raises PoolNotFound, also without the VRF."""

    def work(transaction: database.Transaction) -> forecast.Forecast:
        scope = compiled.find(transaction, vrf)
        if scope is None:
            raise errors.PoolNotFound(vrf, pool)
        of = scope.catalog.named(pool)
        retention = scope.catalog.configuration.history_retention
        memory = Memory.of(retention, scope.now, history.kept_since(transaction))
        known = (of.pool.create_time, memory.known_since)
        since = forecast.first_day(scope.now, days, known=known)
        return forecast.forecast(
            rows.of_pool(transaction, scope, of),
            history.changes(transaction, scope.catalog.vrf_id, of.pool.cidr, since=since),
            since=since,
            now=scope.now,
        )

    return store.run(work, limits, snapshot=True)
