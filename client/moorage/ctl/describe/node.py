"""A node in a description: its blocks, what is held there, and whether its list is awaited."""

from __future__ import annotations

import collections
import datetime
from collections.abc import Iterator, Sequence

import moorage
from moorage import names
from moorage.ctl import times
from moorage.ctl.describe import audited, events, quarantines, sheet
from moorage.v1 import admin_service_pb2, audit_pb2, filter_pb2, resources_pb2

_BLOCKS = ["CIDR", "POOL", "SINCE", "USED", "FREE", "COOLING", "STICKY"]
_HELD = ["CLUSTER", "NETWORK", "POOL", "HELD", "SUSPECT", "BORROWED"]
_ANY = "any"


def lines(client: moorage.Client, name: str, vrf: str, since: datetime.datetime) -> Iterator[str]:
    """Yield what is said of a node, recorded or not; raises NotFound where nothing is known."""
    own_id = names.id_of(name)
    vrf = names.vrf_of(names.node(name, vrf))
    wanted = filter_pb2.AllocationFilter(workload=resources_pb2.Workload(node=own_id))
    held = list(client.allocations(wanted, vrf=vrf, page_size=1000))
    blocks = list(client.blocks(node=own_id, vrf=vrf, page_size=1000))
    yield from _head(client, own_id, vrf, is_known=bool(held or blocks))
    yield from _quarantine(client.get_quarantine(vrf=vrf), own_id)
    rest = f"moorctl get allocations --node {own_id}"
    yield from sheet.table("Blocks", _BLOCKS, [_block(each) for each in blocks], rest=rest)
    yield from sheet.table("Held", _HELD, _counted(held, blocks), rest=rest)
    yield from audited.section(client, vrf, audit_pb2.CHANGE_KIND_NODE, own_id)
    ask = f"--node {own_id}"
    yield from events.section(client, vrf, [wanted], since, held=len(held), ask=ask)


def _head(client: moorage.Client, own_id: str, vrf: str, *, is_known: bool) -> Iterator[str]:
    try:
        node = client.get_node(own_id, vrf=vrf)
    except moorage.NotFound:
        if not is_known:
            raise
        yield from sheet.fact("Name", own_id)
        yield from sheet.fact("VRF", vrf)
        yield from sheet.fact("State", "NOT RECORDED: node selectors see no labels of it")
        return
    yield from sheet.head(node)
    yield from sheet.fact("State", "RECORDED")


def _quarantine(found: admin_service_pb2.GetQuarantineResponse, own_id: str) -> Iterator[str]:
    """Yield why nothing new is assigned to it, and what of that it has to do with itself."""
    yield from quarantines.section(found.quarantines)
    if not found.quarantines:
        return
    awaited = [
        f"of cluster {each.cluster or _ANY}, network {each.network or _ANY}"
        for each in found.awaited
        if each.node == own_id
    ]
    yield from sheet.fact("Lists Awaited", *awaited)
    unknown = [each.attachment for each in found.unknown if each.node == own_id]
    yield from sheet.fact(
        "Held By Nobody", *(f"{it.network}/{it.container_id}/{it.interface}" for it in unknown)
    )


def _block(block: resources_pb2.Block) -> list[str]:
    of = block.counts
    figures = (of.assigned_count, of.available_count, of.cooling_count, of.sticky_count)
    since = times.spelled(block.claim_time)
    return [block.cidr, names.id_of(block.pool), since, *map(str, figures)]


def _counted(
    held: Sequence[resources_pb2.Allocation], blocks: Sequence[resources_pb2.Block]
) -> list[list[str]]:
    """Count what is held: all, what a list lacked, and what lies in blocks that are not its own."""
    own = {block.cidr for block in blocks}
    groups: dict[tuple[str, str, str], list[resources_pb2.Allocation]] = collections.defaultdict(
        list
    )
    for each in held:
        groups[each.workload.cluster, each.attachment.network, names.id_of(each.pool)].append(each)
    return [
        [*group, *map(str, (len(of), sum(it.suspect for it in of), _borrowed(of, own)))]
        for group, of in sorted(groups.items())
    ]


def _borrowed(held: Sequence[resources_pb2.Allocation], own: set[str]) -> int:
    return sum(each.block not in own for each in held)
