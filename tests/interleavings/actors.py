"""The use cases that play, each one request of one caller.

An actor is a function of a store, limits and compiled catalogs, as a server would call
the use case with its own; what it returns is compared as its answer. Addresses in an
answer are given as what was shown of them, so that they can be looked up.
"""

import dataclasses
from collections.abc import Callable

from harness import world
from moorage_server.domain import addresses, adoption, catalog, errors, model, resources
from moorage_server.storage import catalogs
from moorage_server.storage import database as databases
from moorage_server.usecases import adopt as adopting
from moorage_server.usecases import batch, pools, reservations, vrfs
from moorage_server.usecases.ledger import Request
from moorage_server.usecases.targets import Target

Answer = tuple[object, ...]
Actor = Callable[[databases.Database, databases.Limits, catalogs.Catalogs], Answer]


def attachment(container: str) -> model.AttachmentKey:
    """The attachment of a container; containers are what states are compared by."""
    return model.AttachmentKey(
        vrf="default", network="pods", container_id=container, interface="eth0"
    )


def assign(
    container: str,
    *fixed: str,
    node: str = "n1",
    pod: str = "",
    stamp: int | None = None,
    batched: bool = False,
) -> Actor:
    """An assign of any address, or of fixed ones; it waits for locks, or tries them first.

    With `pod`, the container is a sandbox of it.
    """
    request = model.AssignRequest(
        attachment=attachment(container),
        addresses=tuple(map(world.fixed, fixed)) or (world.any_ipv4(),),
        facts=model.Facts(workload=model.Workload(node=node, pod_uid=pod)),
        attempt=attempt(stamp),
    )
    return collected(request, batched=batched)


def release(container: str, *, stamp: int | None = None, batched: bool = False) -> Actor:
    """A release; it waits for locks, or tries them first."""
    request = model.ReleaseRequest(attachment=attachment(container), attempt=attempt(stamp))
    return collected(request, batched=batched)


class Etag:
    """The etag of a pool, as it was when `learn` acted."""

    def __init__(self, name: str) -> None:
        """Of nothing yet."""
        self._name = name
        self.value = ""

    def learn(
        self, store: databases.Database, limits: databases.Limits, _: catalogs.Catalogs
    ) -> Answer:
        """Reads it."""
        self.value = pools.get(store, limits, "default", self._name).etag
        return (self.value,)


def update(name: str, *, known: Etag | None = None, **fields: object) -> Actor:
    """Changes fields of a pool, provided that it is as its caller knows it."""

    def change(before: resources.Pool) -> resources.Pool:
        return dataclasses.replace(before, **fields)  # type: ignore[arg-type]  # by the dataclass

    def call(store: databases.Database, limits: databases.Limits, _: catalogs.Catalogs) -> Answer:
        target = _pool(name, known.value if known else "")
        return _told(pools.update(store, limits, target, change))

    return call


def drain(name: str) -> Actor:
    """Takes a pool out of service."""
    return lambda store, limits, _: _told(pools.drain(store, limits, _pool(name)))


def delete(name: str) -> Actor:
    """Deletes a pool."""

    def call(store: databases.Database, limits: databases.Limits, _: catalogs.Catalogs) -> Answer:
        pools.delete(store, limits, _pool(name))
        return ("deleted",)

    return call


def create(name: str, cidr: str, **fields: object) -> Actor:
    """Creates a pool."""
    pool = world.pool(name, cidr, **fields)
    return lambda store, limits, _: _told(pools.create(store, limits, pool))


def configure(**fields: object) -> Actor:
    """Configures the VRF."""

    def change(before: resources.Vrf) -> resources.Vrf:
        configuration = dataclasses.replace(before.configuration, **fields)  # type: ignore[arg-type]  # by the dataclass
        return dataclasses.replace(before, configuration=configuration)

    target = Target(vrf="default", name="default", resource="vrfs/default")
    return lambda store, limits, _: (vrfs.update(store, limits, target, change).version,)


def reserve(name: str, *cidrs: str) -> Actor:
    """Creates a reservation."""
    networks = tuple(map(addresses.parse_network, cidrs))
    made = resources.Reservation(vrf="default", name=name, cidrs=networks)
    return lambda store, limits, _: (reservations.create(store, limits, made).name,)


def adopt(cidr: str, *, node: str = "n1", **holders: str) -> Actor:
    """Adopts a block: a container's name for each address that it holds."""
    request = adoption.AdoptRequest(
        vrf="default",
        cidr=addresses.parse_network(cidr),
        node=node,
        adoptions=tuple(_adoption(name, address, node) for name, address in holders.items()),
        validate_only=False,
    )

    def call(
        store: databases.Database, limits: databases.Limits, compiled: catalogs.Catalogs
    ) -> Answer:
        told = adopting.adopt(store, limits, compiled, request)
        return (len(told.adopted), told.unchanged_count, told.released_count, len(told.conflicts))

    return call


def collected(request: Request, *, batched: bool) -> Actor:
    """As the collector has it: in a batch, which waits for nothing, then in turn; or alone."""

    def call(
        store: databases.Database, limits: databases.Limits, compiled: catalogs.Catalogs
    ) -> Answer:
        outcome: batch.Outcome = batch.Deferred.DEFERRED
        locking = batch.Locking.SKIPPING if batched else batch.Locking.WAITING
        while outcome is batch.Deferred.DEFERRED:
            ran = batch.run(store, limits, [request], compiled=compiled, locking=locking)
            (outcome,) = ran.outcomes
            locking = batch.Locking.IN_TURN if batched else batch.Locking.WAITING
        if isinstance(outcome, errors.IpamError):
            raise outcome
        assert isinstance(outcome, tuple)
        return outcome

    return call


def _adoption(container: str, address: str, node: str) -> adoption.Adoption:
    facts = model.Facts(workload=model.Workload(node=node))
    return adoption.Adoption(
        address=addresses.parse_address(address), attachment=attachment(container), facts=facts
    )


def attempt(stamp: int | None) -> model.AttemptStamp | None:
    """The stamp of an attempt, all of one boot."""
    return None if stamp is None else model.AttemptStamp(boot_id="boot-1", boot_time_ns=stamp)


def _pool(name: str, etag: str = "") -> Target:
    return Target(vrf="default", name=name, resource=f"vrfs/default/pools/{name}", etag=etag)


def _told(pool: resources.Pool) -> Answer:
    return (pool.name, pool.version, pool.disabled, str(pool.state), pool.priority)


def held(answer: Answer) -> list[model.Allocation]:
    """The allocations that an answer tells of."""
    return [each.allocation for each in answer if isinstance(each, catalog.Shown)]
