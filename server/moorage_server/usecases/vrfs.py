"""Administration of VRFs. What is inside one is administered beside this module."""

from collections.abc import Callable, Mapping

from moorage_server.domain import errors, resources
from moorage_server.domain.actors import NOBODY, Act
from moorage_server.domain.cooling import ticks
from moorage_server.storage import cooling, database, vrfs
from moorage_server.usecases import noting
from moorage_server.usecases.targets import Target

Change = Callable[[resources.Vrf], resources.Vrf]


def create(
    store: database.Database, limits: database.Limits, vrf: resources.Vrf, by: Act = NOBODY
) -> resources.Vrf:
    """The VRF as stored; raises VrfAlreadyExists."""

    def work(transaction: database.Transaction) -> resources.Vrf:
        vrfs.create(transaction, vrf)
        stored = vrfs.get(transaction, vrf.name)
        noting.note(transaction, by, "CreateVrf", after=stored)
        return stored

    return store.run(work, limits)


def get(store: database.Database, limits: database.Limits, name: str) -> resources.Vrf:
    """One VRF; raises VrfNotFound."""
    return store.run(lambda transaction: vrfs.get(transaction, name), limits)


def page(
    store: database.Database,
    limits: database.Limits,
    *,
    labels: Mapping[str, str],
    after: str,
    size: int,
) -> tuple[list[resources.Vrf], bool]:
    """A page of VRFs in order of name, and whether more follow."""
    found = store.run(
        lambda transaction: vrfs.page(transaction, labels=labels, after=after, limit=size + 1),
        limits,
    )
    return found[:size], len(found) > size


def update(
    store: database.Database,
    limits: database.Limits,
    target: Target,
    change: Change,
    by: Act = NOBODY,
) -> resources.Vrf:
    """The VRF as changed; raises VrfNotFound, EtagMismatch, and what `change` raises."""

    def work(transaction: database.Transaction) -> resources.Vrf:
        vrfs.lock(transaction, target.vrf)
        before = vrfs.get(transaction, target.vrf)
        target.require_etag(before)
        after = change(before)
        if after == before:
            return before
        vrfs.update(transaction, after)
        if _policy(after) != _policy(before):
            vrfs.bump(transaction, target.vrf)
        if after.configuration != before.configuration:
            _reconfigure(transaction, target.vrf, before.configuration, after.configuration)
        stored = vrfs.get(transaction, target.vrf)
        noting.note(transaction, by, "UpdateVrf", before=before, after=stored)
        return stored

    return store.run(work, limits)


def _policy(vrf: resources.Vrf) -> tuple[object, ...]:
    """What assigns are decided by, beside the configuration."""
    return vrf.strict_namespaces, vrf.fixed_address_grants, vrf.quotas


def _reconfigure(
    transaction: database.Transaction,
    vrf: str,
    before: resources.VrfConfiguration,
    after: resources.VrfConfiguration,
) -> None:
    vrfs.bump(transaction, vrf)
    if after.cooldown != before.cooldown:
        # It counts from the release, also for what was released before it was changed.
        cooling.change_vrf(transaction, vrf, ticks=ticks(after.cooldown) - ticks(before.cooldown))


def delete(
    store: database.Database, limits: database.Limits, target: Target, by: Act = NOBODY
) -> None:
    """Removes a VRF; raises VrfNotFound, EtagMismatch or VrfInUse."""

    def work(transaction: database.Transaction) -> None:
        vrfs.lock(transaction, target.vrf)
        before = vrfs.get(transaction, target.vrf)
        target.require_etag(before)
        if vrfs.has_pools(transaction, target.vrf):
            raise errors.VrfInUse(target.vrf)
        # Only now: a VRF in use is not kept from its users just to be refused.
        vrfs.lock_for_deletion(transaction, target.vrf)
        vrfs.delete(transaction, target.vrf)
        noting.note(transaction, by, "DeleteVrf", before=before)

    store.run(work, limits)
