"""A history from a seed: steps, and after each of them the rules."""

import ipaddress
import random
from collections.abc import Callable

from harness import invariants
from harness.postgres import Database
from moorage.v1 import allocation_service_pb2 as requests
from moorage.v1 import pool_service_pb2
from properties import openings, traffic, upkeep
from properties.openings import Cause
from properties.service import Refused, Service
from properties.walk import Walk

Step = Callable[[Walk], Cause]
# How often each step is taken, relative to the others.
WEIGHTS: dict[Step, int] = {
    traffic.assign: 44,
    traffic.repeat: 6,
    traffic.release: 20,
    traffic.guarded_release: 5,
    traffic.late_release: 2,
    upkeep.create_pool: 4,
    upkeep.update_pool: 4,
    upkeep.drain_pool: 1,
    upkeep.activate_pool: 1,
    upkeep.delete_pool: 1,
    upkeep.reserve: 3,
    upkeep.label_node: 3,
    upkeep.forget_node: 1,
    upkeep.configure: 2,
    upkeep.pass_time: 2,
}

STEPS_BETWEEN_LOOKS = 50
POOLS_AT_FIRST = 5
TRACED = 12


class Broken(AssertionError):
    """A rule does not hold; says how to see it again."""


def run(service: Service, database: Database, *, seed: int, length: int) -> None:
    """Takes `length` steps; raises Broken with the last of them."""
    walk = Walk(random.Random(seed), service, database)
    try:
        for at in range(length):
            _step(walk, at)
            if at % STEPS_BETWEEN_LOOKS == STEPS_BETWEEN_LOOKS - 1 or at == length - 1:
                _look(walk)
    except AssertionError as wrong:
        raise Broken(_told(walk, wrong, seed=seed, at=at, length=length)) from wrong


def _step(walk: Walk, at: int) -> None:
    taken: Step = upkeep.create_pool
    if at >= POOLS_AT_FIRST and walk.now.pools:
        (taken,) = walk.chance.choices(list(WEIGHTS), weights=list(WEIGHTS.values()))
    # Also behind a refusal: a node's assign closes empty blocks first that it has to give up.
    _look_at_blocks(walk, taken(walk))


def _look_at_blocks(walk: Walk, cause: Cause) -> None:
    listed = walk.service.answer(
        pool_service_pb2.ListBlocksRequest(page_size=1000), pool_service_pb2.ListBlocksResponse
    )
    assert not isinstance(listed, Refused), f"ListBlocks is refused: {listed}"
    assert not listed.next_page_token, "the model reads one page of blocks"
    after = openings.parsed(list(listed.blocks))
    openings.check(walk.now, walk.now.blocks, after, cause)
    walk.now.blocks = after


def _look(walk: Walk) -> None:
    """What is listed and counted is what is held; the database agrees with itself."""
    _look_at_blocks(walk, Cause())
    held = walk.service.answer(
        requests.ListAllocationsRequest(page_size=1000), requests.ListAllocationsResponse
    )
    assert not isinstance(held, Refused), f"ListAllocations is refused: {held}"
    listed = {ipaddress.ip_address(each.address): each for each in held.allocations}
    assert listed.keys() == walk.now.held.keys(), "what is listed is not what is held"
    for address, allocation in listed.items():
        assert allocation == walk.now.held[address], f"{address} is held differently"
    for pool in walk.now.pools.values():
        name = f"vrfs/default/pools/{pool.name}"
        usage = walk.service.answer(
            pool_service_pb2.GetPoolUsageRequest(name=name), pool_service_pb2.GetPoolUsageResponse
        )
        assert not isinstance(usage, Refused), f"GetPoolUsage is refused: {usage}"
        expected = openings.counted(walk.now, pool.cidr)
        assert usage.counts == expected, f"{pool.name}: {usage.counts} is not {expected}"
        opened = sum(each[0] in pool.cidr for each in walk.now.blocks)
        assert usage.open_block_count == opened, f"{pool.name}: {opened} blocks are open"
    invariants.check(walk.database)


def _told(walk: Walk, wrong: AssertionError, *, seed: int, at: int, length: int) -> str:
    first = len(walk.trace) - min(TRACED, len(walk.trace))
    lines = [f"{first + n:5} {line}" for n, line in enumerate(walk.trace[first:], start=1)]
    again = (
        f"MOORAGE_PROPERTY_SEED={seed} MOORAGE_PROPERTY_STEPS={length} pytest -n 0 tests/properties"
    )
    return "\n".join(
        [
            f"seed {seed}, step {at + 1}: {wrong}",
            f"configuration: {walk.now.configuration}",
            "the last calls:",
            *lines,
            f"again: {again}",
        ]
    )
