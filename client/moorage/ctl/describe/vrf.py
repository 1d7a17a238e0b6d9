"""A VRF in a description: how full its pools are, and why nothing new is assigned, if so."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

import moorage
from moorage import names
from moorage.ctl import columns, times
from moorage.ctl.describe import audited, counts, events, quarantines, sheet
from moorage.v1 import filter_pb2, resources_pb2

_Used = tuple[resources_pb2.Pool, resources_pb2.AddressCounts]


def lines(
    client: moorage.Client, vrf: resources_pb2.Vrf, since: datetime.datetime
) -> Iterator[str]:
    """Yield what is said of a VRF."""
    own_id = names.id_of(vrf.name)
    yield from sheet.head(vrf)
    yield from _quarantine(client, vrf)
    yield from sheet.spec(vrf)
    known = client.history_known_since(vrf=own_id)
    yield from sheet.fact("History Known Since", times.spelled(known))
    used = [(pool, client.get_pool_usage(pool.name).counts) for pool in client.pools(vrf=own_id)]
    yield from _pools(used)
    yield from _counted(client, own_id)
    yield from audited.section(client, own_id)
    held = sum(of.assigned_count for _, of in used)
    everything = filter_pb2.AllocationFilter()
    ask = f"--vrf {own_id}"
    yield from events.section(client, own_id, [everything], since, held=held, ask=ask)


def _quarantine(client: moorage.Client, vrf: resources_pb2.Vrf) -> Iterator[str]:
    yield from quarantines.section(vrf.quarantines)
    if vrf.quarantines:
        found = client.get_quarantine(vrf=vrf.name)
        yield from sheet.fact("Lists Awaited", str(found.awaited_count))
        yield from sheet.fact("Held By Nobody", str(found.unknown_count))


def _pools(used: list[_Used]) -> Iterator[str]:
    """Yield the pools, the fullest first."""
    fullest = sorted(used, key=lambda each: (-counts.full(each[1]), each[0].name))
    rows = [
        [names.id_of(pool.name), pool.cidr, columns.state(pool), *counts.cells(of)]
        for pool, of in fullest
    ]
    yield from sheet.table(
        "Pools", ["NAME", "CIDR", "STATE", *counts.HEADER], rows, rest="moorctl top"
    )


def _counted(client: moorage.Client, vrf: str) -> Iterator[str]:
    for title, found in (
        ("Reservations", client.reservations(vrf=vrf)),
        ("Nodes", client.nodes(vrf=vrf, page_size=1000)),
        ("Sticky Addresses", client.sticky_addresses(vrf=vrf, page_size=1000)),
    ):
        yield from sheet.fact(title, str(sum(1 for _ in found)))
