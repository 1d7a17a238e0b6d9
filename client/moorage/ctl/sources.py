"""Where an address that would be assigned is drawn from: whose block it lies in, and why there.

The answer of ExplainAssign names the block alone; whose it is, the listing of the blocks says.
"""

from __future__ import annotations

import moorage
from moorage.v1 import resources_pb2


def of(client: moorage.Client, allocation: resources_pb2.Allocation, *, asked_for: bool) -> str:
    """Return the block of an allocation in words: what it is to the node that it is for.

    An address that was asked for by name has no other reason to lie where it lies.
    """
    if allocation.generation:
        return f"block {allocation.block}"
    place, reason = _place(allocation, _owner(client, allocation))
    return place if asked_for or not reason else f"{place} ({reason})"


def _place(allocation: resources_pb2.Allocation, owner: str | None) -> tuple[str, str]:
    """Return the block with whose it is, and why an automatic address is drawn from there."""
    block, node = allocation.block, allocation.workload.node
    if owner is None:
        why = f"node {node} has none of that priority with a free address" if node else ""
        return f"the new block {block}", why
    if not owner:
        return f"block {block} of no node", ""
    if owner == node:
        return f"block {block} of node {node} itself", "a node's own blocks come first"
    return (
        f"block {block} of another node, {owner}",
        "there is room in none of its own nor a new one",
    )


def _owner(client: moorage.Client, allocation: resources_pb2.Allocation) -> str | None:
    """Return whose the block is, empty where it is of no node; None where it is not open."""
    pool, node = allocation.pool, allocation.workload.node
    # Those of the node are few; those of the pool may be many thousands.
    own = client.blocks(pool=pool, node=node) if node else iter(())
    if any(block.cidr == allocation.block for block in own):
        return node
    found = (each for each in client.blocks(pool=pool) if each.cidr == allocation.block)
    block = next(found, None)
    return None if block is None else block.node
