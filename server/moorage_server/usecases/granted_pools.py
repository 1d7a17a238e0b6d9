"""Pools as a tenant sees them: those that its namespaces may use, and no word of other tenants."""

import dataclasses
from collections.abc import Mapping

from moorage_server.domain import errors, resources
from moorage_server.domain.offers import Offer
from moorage_server.storage import catalogs, database


def get(
    store: database.Database,
    limits: database.Limits,
    compiled: catalogs.Catalogs,
    *,
    vrf: str,
    name: str,
    namespaces: frozenset[str],
) -> resources.Pool:
    """One pool; raises PoolNotFound, also where it is not theirs, or the VRF is not there."""

    def work(transaction: database.Transaction) -> resources.Pool:
        scope = compiled.find(transaction, vrf)
        for each in scope.catalog.offers if scope else ():
            if each.name == name and each.grants.concern(namespaces):
                return _shown(each, namespaces)
        raise errors.PoolNotFound(vrf, name)

    return store.run(work, limits, snapshot=True)


def page(
    store: database.Database,
    limits: database.Limits,
    compiled: catalogs.Catalogs,
    vrf: str,
    *,
    namespaces: frozenset[str],
    labels: Mapping[str, str],
    after: str,
    size: int,
) -> tuple[list[resources.Pool], bool]:
    """A page of pools in order of name, and whether more follow; raises VrfNotFound."""

    def work(transaction: database.Transaction) -> list[resources.Pool]:
        known = compiled.require(transaction, vrf).catalog
        behind = (each for each in known.offers if each.name > after)
        theirs = (each for each in behind if each.grants.concern(namespaces))
        found = (each for each in theirs if labels.items() <= each.pool.labels.items())
        return [_shown(each, namespaces) for each in sorted(found, key=lambda each: each.name)]

    listed = store.run(work, limits, snapshot=True)
    return listed[:size], len(listed) > size


def _shown(each: Offer, namespaces: frozenset[str]) -> resources.Pool:
    allowed = each.pool.allowed_namespaces & namespaces
    return dataclasses.replace(each.pool, allowed_namespaces=allowed)
