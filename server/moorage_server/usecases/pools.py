"""Administration of pools. Drawing addresses from them is `assign`'s."""

import dataclasses
from collections.abc import Callable, Mapping

from moorage_server.domain import errors, resources
from moorage_server.domain.actors import NOBODY, Act
from moorage_server.domain.cooling import ticks
from moorage_server.storage import affinities, cooling, database, pools, sticky, vrfs
from moorage_server.usecases import noting
from moorage_server.usecases.targets import Target

Change = Callable[[resources.Pool], resources.Pool]

_TURNS = {
    resources.PoolState.DRAINING: "DrainPool",
    resources.PoolState.ACTIVE: "ActivatePool",
}


def create(
    store: database.Database, limits: database.Limits, pool: resources.Pool, by: Act = NOBODY
) -> resources.Pool:
    """The pool as stored; raises VrfNotFound, PoolAlreadyExists or PoolOverlaps."""

    def work(transaction: database.Transaction) -> resources.Pool:
        vrfs.lock(transaction, pool.vrf)
        vrfs.require_id(transaction, pool.vrf)
        _refuse_conflict(transaction, pool)
        pools.create(transaction, pool)
        vrfs.bump(transaction, pool.vrf)
        stored = pools.get(transaction, pool.vrf, pool.name)
        noting.note(transaction, by, "CreatePool", after=stored)
        return stored

    return store.run(work, limits)


def get(store: database.Database, limits: database.Limits, vrf: str, name: str) -> resources.Pool:
    """One pool; raises PoolNotFound."""
    return store.run(lambda transaction: pools.get(transaction, vrf, name), limits)


def page(
    store: database.Database,
    limits: database.Limits,
    vrf: str,
    *,
    labels: Mapping[str, str],
    after: str,
    size: int,
) -> tuple[list[resources.Pool], bool]:
    """A page of pools in order of name, and whether more follow; raises VrfNotFound."""

    def work(transaction: database.Transaction) -> list[resources.Pool]:
        vrfs.require_id(transaction, vrf)
        return pools.page(transaction, vrf, labels=labels, after=after, limit=size + 1)

    found = store.run(work, limits)
    return found[:size], len(found) > size


def update(
    store: database.Database,
    limits: database.Limits,
    target: Target,
    change: Change,
    by: Act = NOBODY,
) -> resources.Pool:
    """The pool as changed; raises PoolNotFound, EtagMismatch, and what `change` raises."""

    def work(transaction: database.Transaction) -> resources.Pool:
        vrfs.lock(transaction, target.vrf)
        before = pools.get(transaction, target.vrf, target.name)
        target.require_etag(before)
        after = change(before)
        if after == before:
            return before
        pools.update(transaction, after)
        if after.block_affinity is not before.block_affinity:
            # Empty blocks of nobody would be of use to nobody where affinity is strict.
            affinities.give_up_pool(transaction, before)
        _move_ready_ticks(transaction, before, after)
        vrfs.bump(transaction, target.vrf)
        stored = pools.get(transaction, target.vrf, target.name)
        noting.note(transaction, by, "UpdatePool", before=before, after=stored)
        return stored

    return store.run(work, limits)


def _move_ready_ticks(
    transaction: database.Transaction, before: resources.Pool, after: resources.Pool
) -> None:
    """A cool-down counts from the release, also for what was released before it was changed."""
    if after.cooldown == before.cooldown:
        return
    configuration = vrfs.get(transaction, after.vrf).configuration
    now, then = (ticks(each.cooldown_in(configuration)) for each in (after, before))
    if now != then:
        cooling.change_pool(transaction, after, ticks=now - then)


def drain(
    store: database.Database, limits: database.Limits, target: Target, by: Act = NOBODY
) -> resources.Pool:
    """The pool, out of service, its blocks given up; raises PoolNotFound or EtagMismatch."""
    return _turn(store, limits, target, resources.PoolState.DRAINING, by)


def activate(
    store: database.Database, limits: database.Limits, target: Target, by: Act = NOBODY
) -> resources.Pool:
    """The pool, in service again; raises PoolNotFound or EtagMismatch."""
    return _turn(store, limits, target, resources.PoolState.ACTIVE, by)


def _turn(
    store: database.Database,
    limits: database.Limits,
    target: Target,
    state: resources.PoolState,
    by: Act,
) -> resources.Pool:
    def work(transaction: database.Transaction) -> resources.Pool:
        vrfs.lock(transaction, target.vrf)
        before = pools.get(transaction, target.vrf, target.name)
        target.require_etag(before)
        if before.state is state:
            return before
        pools.update(transaction, dataclasses.replace(before, state=state))
        if state is resources.PoolState.DRAINING:
            # What is kept there would be given to nobody any more, its owner included.
            pools.lock_blocks(transaction, before)
            sticky.drop(transaction, before)
            affinities.give_up_pool(transaction, before)
        vrfs.bump(transaction, target.vrf)
        stored = pools.get(transaction, target.vrf, target.name)
        noting.note(transaction, by, _TURNS[state], before=before, after=stored)
        return stored

    return store.run(work, limits)


def delete(
    store: database.Database, limits: database.Limits, target: Target, by: Act = NOBODY
) -> None:
    """Removes a pool; raises PoolNotFound, EtagMismatch or PoolInUse."""

    def work(transaction: database.Transaction) -> None:
        vrfs.lock(transaction, target.vrf)
        pool = pools.get(transaction, target.vrf, target.name)
        target.require_etag(pool)
        # Twice: a pool in use is not kept from its users just to be refused; and what
        # is true once its blocks are locked stays true.
        _refuse_in_use(transaction, pool)
        pools.lock_blocks(transaction, pool)
        _refuse_in_use(transaction, pool)
        pools.delete(transaction, pool)
        vrfs.bump(transaction, target.vrf)
        noting.note(transaction, by, "DeletePool", before=pool)

    store.run(work, limits)


def _refuse_conflict(transaction: database.Transaction, pool: resources.Pool) -> None:
    other = pools.in_the_way(transaction, pool)
    if other == pool.name:
        raise errors.PoolAlreadyExists(pool.vrf, pool.name)
    if other is not None:
        raise errors.PoolOverlaps(pool.vrf, pool.name, str(pool.cidr), other)


def _refuse_in_use(transaction: database.Transaction, pool: resources.Pool) -> None:
    count = pools.allocation_count(transaction, pool)
    if count:
        raise errors.PoolInUse(pool.vrf, pool.name, count)
