"""Borrowed addresses: those of a node that lie in the block of another node, or of none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from moorage.ctl import specs
from moorage.v1 import resources_pb2

HEADER = ("IP", "BORROWING-NODE", "BLOCK", "BLOCK OWNER", "TYPE", "ALLOCATED-TO")


@dataclass(frozen=True, slots=True, kw_only=True)
class Borrowed:
    """One address that a node has borrowed; `owner` is empty where the block belongs to none."""

    address: str
    node: str
    block: str
    owner: str
    kind: str
    allocated_to: str

    def row(self) -> list[str]:
        """Return the row of a table."""
        return [self.address, self.node, self.block, self.owner, self.kind, self.allocated_to]

    def document(self) -> dict[str, object]:
        """Return what stands for it in JSON."""
        return {
            "address": self.address,
            "borrowingNode": self.node,
            "block": self.block,
            "blockOwner": self.owner,
            "type": self.kind,
            "allocatedTo": self.allocated_to,
        }


def find(
    allocations: Iterable[resources_pb2.Allocation], blocks: Iterable[resources_pb2.Block]
) -> list[Borrowed]:
    """Return what is borrowed, in the order of the allocations.

    The blocks are to be listed after the allocations: one that is not there has vanished with its
    addresses in between.
    """
    held = [allocation for allocation in allocations if allocation.workload.node]
    owners = {block.cidr: block.node for block in blocks}
    return [
        _borrowed(allocation, owners[allocation.block])
        for allocation in held
        if owners.get(allocation.block, allocation.workload.node) != allocation.workload.node
    ]


def _borrowed(allocation: resources_pb2.Allocation, owner: str) -> Borrowed:
    workload = allocation.workload
    use = specs.short_name(resources_pb2.Use.DESCRIPTOR, allocation.use)
    return Borrowed(
        address=allocation.address,
        node=workload.node,
        block=allocation.block,
        owner=owner,
        kind="pod" if workload.pod else use.lower(),
        allocated_to=f"{workload.namespace}/{workload.pod}" if workload.pod else "",
    )
