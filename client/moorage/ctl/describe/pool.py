"""A pool in a description: how full it is, whose blocks, and what hides addresses of it."""

from __future__ import annotations

import collections
import dataclasses
import datetime
from collections.abc import Iterable, Iterator

import moorage
from moorage import names
from moorage.ctl import columns
from moorage.ctl.describe import audited, counts, events, quarantines, ranges, sheet
from moorage.v1 import audit_pb2, filter_pb2, resources_pb2

MOST_BLOCKS = 20_000  # to be counted by node
_HEADER = ["NODE", "BLOCKS", "USED", "FREE", "COOLING", "STICKY"]


def lines(
    client: moorage.Client, pool: resources_pb2.Pool, since: datetime.datetime
) -> Iterator[str]:
    """Yield what is said of a pool."""
    vrf_id, own_id = names.vrf_of(pool.name), names.id_of(pool.name)
    vrf, usage = client.get_vrf(vrf_id), client.get_pool_usage(pool.name)
    yield from sheet.head(pool)
    yield from sheet.fact("State", columns.state(pool))
    yield from quarantines.section(vrf.quarantines)
    yield from sheet.spec(pool)
    yield from counts.section(usage.counts)
    yield from _blocks(client, pool, usage.open_block_count)
    yield from ranges.reservations(client, vrf_id, pool.cidr)
    yield from ranges.grants(vrf, pool.cidr)
    wanted = filter_pb2.AllocationFilter(pools=[own_id])
    kind = audit_pb2.CHANGE_KIND_POOL
    yield from audited.section(client, vrf_id, kind, own_id)
    held, ask = usage.counts.assigned_count, f"--cidr {pool.cidr}"
    yield from events.section(client, vrf_id, [wanted], since, held=held, ask=ask)


@dataclasses.dataclass(slots=True)
class _Share:
    """What of a pool belongs to one node."""

    blocks: int = 0
    counts: resources_pb2.AddressCounts = dataclasses.field(
        default_factory=resources_pb2.AddressCounts
    )

    def add(self, block: resources_pb2.Block) -> None:
        self.blocks += 1
        for field, value in block.counts.ListFields():
            setattr(self.counts, field.name, getattr(self.counts, field.name) + value)

    def row(self, node: str) -> list[str]:
        of = self.counts
        figures = (of.assigned_count, of.available_count, of.cooling_count, of.sticky_count)
        return [node or sheet.NONE, *map(str, (self.blocks, *figures))]


def _blocks(client: moorage.Client, pool: resources_pb2.Pool, number: int) -> Iterator[str]:
    rest = "moorctl ipam show --show-blocks"
    if number > MOST_BLOCKS:
        yield from sheet.fact("Blocks", f"{number} open; see {rest}")
        return
    shares = _shares(client.blocks(pool=pool.name, page_size=1000))
    yield from sheet.fact("Open Blocks", str(number))
    fullest = sorted(shares.items(), key=lambda item: (-item[1].counts.assigned_count, item[0]))
    rows = [share.row(node) for node, share in fullest]
    yield from sheet.table("Blocks By Node", _HEADER, rows, rest=rest)


def _shares(blocks: Iterable[resources_pb2.Block]) -> dict[str, _Share]:
    found: dict[str, _Share] = collections.defaultdict(_Share)
    for block in blocks:
        found[block.node].add(block)
    return found
