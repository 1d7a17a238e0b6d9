"""Steps that operators take, and time: pools, reservations, nodes, the configuration."""

from google.protobuf import field_mask_pb2

from moorage.v1 import (
    node_service_pb2,
    pool_service_pb2,
    reservation_service_pb2,
    vrf_service_pb2,
)
from moorage.v1 import resources_pb2 as messages
from properties import ground
from properties.holdings import NAMESPACE_SELECTORS, NODE_SELECTORS, Configuration
from properties.openings import Cause
from properties.service import Refused
from properties.walk import Walk


def create_pool(walk: Walk) -> Cause:
    """One more pool, up to a number."""
    if len(walk.now.pools) >= 7:
        return Cause()
    walk.pool_number += 1
    pool = ground.pool(walk.chance, walk.pool_number % 250, name=f"p{walk.pool_number}")
    request = pool_service_pb2.CreatePoolRequest(pool_id=pool.name, pool=ground.message(pool))
    walk.done(request)
    walk.now.pools[pool.name] = pool
    return Cause()


def update_pool(walk: Walk) -> Cause:
    """Rules of a pool change; what is held stays."""
    pool = walk.some_pool()
    pool.disabled = walk.chance.random() < 0.15
    pool.manual = walk.chance.random() < 0.15
    pool.priority = walk.chance.choice((0, 0, 5))
    pool.node_selector = walk.chance.choice(("", *NODE_SELECTORS))
    if pool.uses == frozenset(ground.USES[:1]):
        pool.namespace_selector = walk.chance.choice(("", *NAMESPACE_SELECTORS))
    walk.done(pool_service_pb2.UpdatePoolRequest(pool=ground.message(pool)))
    return Cause()


def drain_pool(walk: Walk) -> Cause:
    """A pool is planned for removal."""
    pool = walk.some_pool()
    walk.done(pool_service_pb2.DrainPoolRequest(name=f"vrfs/default/pools/{pool.name}"))
    pool.draining = True
    return Cause(drained=pool.name)


def activate_pool(walk: Walk) -> Cause:
    """A draining pool comes back."""
    draining = sorted(name for name, each in walk.now.pools.items() if each.draining)
    for name in draining:
        walk.done(pool_service_pb2.ActivatePoolRequest(name=f"vrfs/default/pools/{name}"))
        walk.now.pools[name].draining = False
    return Cause()


def delete_pool(walk: Walk) -> Cause:
    """A pool goes, unless addresses of it are assigned."""
    pool = walk.some_pool()
    request = pool_service_pb2.DeletePoolRequest(name=f"vrfs/default/pools/{pool.name}")
    answer = walk.send(request, pool_service_pb2.DeletePoolResponse)
    assigned = sum(each in pool.cidr for each in walk.now.held)
    if assigned:
        assert isinstance(answer, Refused), f"{pool.name} is in use"
        assert answer.reason == "POOL_IN_USE"
        assert answer.metadata["allocation_count"] == str(assigned)
        return Cause()
    assert not isinstance(answer, Refused), f"{pool.name} is not in use: {answer}"
    del walk.now.pools[pool.name]
    for address in [each for each in walk.now.cooling if each in pool.cidr]:
        del walk.now.cooling[address]
    return Cause(deleted=pool.name)


def reserve(walk: Walk) -> Cause:
    """A reservation comes, or one goes."""
    if len(walk.now.reserved) >= 3:
        name = walk.chance.choice(sorted(walk.now.reserved))
        del walk.now.reserved[name]
        full = f"vrfs/default/reservations/{name}"
        walk.done(reservation_service_pb2.DeleteReservationRequest(name=full))
        return Cause()
    name = f"r{len(walk.trace)}"
    walk.now.reserved[name], made = ground.reservation(walk.chance, walk.now)
    walk.done(
        reservation_service_pb2.CreateReservationRequest(reservation_id=name, reservation=made)
    )
    return Cause()


def label_node(walk: Walk) -> Cause:
    """A node is recorded with other labels."""
    name = walk.chance.choice(ground.NODES)
    labels = walk.chance.choice(ground.LABELS)
    node = messages.Node(name=f"vrfs/default/nodes/{name}", labels=labels)
    walk.done(node_service_pb2.UpsertNodeRequest(node=node))
    walk.now.nodes[name] = dict(labels)
    return Cause()


def forget_node(walk: Walk) -> Cause:
    """A node is deleted, and gives up its blocks."""
    known = sorted(walk.now.nodes)
    if not known:
        return label_node(walk)
    name = walk.chance.choice(known)
    walk.done(node_service_pb2.DeleteNodeRequest(name=f"vrfs/default/nodes/{name}"))
    del walk.now.nodes[name]
    return Cause(forgotten=name)


def configure(walk: Walk) -> Cause:
    """Other rules for blocks, and another cool-down, which starts when nothing is cooling."""
    strict = walk.chance.random() < 0.5
    made = Configuration(
        strict=strict,
        auto=not strict or walk.chance.random() < 0.8,
        max_blocks=walk.chance.choice((0, 1, 2, 3)) if strict else 0,
        cooldown=walk.chance.choice((0, 0, 1200)),
    )
    cause = pass_time(walk)
    stored = messages.VrfConfiguration(
        strict_affinity=made.strict,
        auto_allocate_blocks=made.auto,
        max_blocks_per_node=made.max_blocks,
        cooldown_seconds=made.cooldown,
    )
    vrf = messages.Vrf(name="vrfs/default", configuration=stored)
    mask = field_mask_pb2.FieldMask(paths=["configuration"])
    walk.done(vrf_service_pb2.UpdateVrfRequest(vrf=vrf, update_mask=mask))
    walk.now.configuration = made
    return cause


def pass_time(walk: Walk) -> Cause:
    """An hour passes: whatever was cooling is ready, whatever was claimed was so long ago."""
    walk.trace.append("an hour passes")
    walk.database.execute("UPDATE blocks SET claim_time = claim_time - interval '1 hour'")
    walk.database.execute("UPDATE ticks SET tick = tick + 3600")
    blocks = {walk.now.block_of(each) for each in walk.now.cooling}
    walk.now.thawed |= {each for each in blocks if each is not None}
    walk.now.cooling.clear()
    return Cause(aged=True)
