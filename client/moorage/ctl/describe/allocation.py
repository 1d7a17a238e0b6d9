"""An address in a description: who holds it or did, and what has a say in who may."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from google.protobuf import json_format

import moorage
from moorage import names
from moorage.ctl import columns, specs, times
from moorage.ctl.describe import events, quarantines, ranges, sheet
from moorage.v1 import filter_pb2, resources_pb2

# Said by lines of their own.
_SAID = {"name", "address", "pool", "block", "labels", "assignTime"}


def lines(client: moorage.Client, name: str, vrf: str, since: datetime.datetime) -> Iterator[str]:
    """Yield what is said of an address; where nobody holds it raises NotFound, after all lines."""
    address, vrf = names.id_of(name), names.vrf_of(names.allocation(name, vrf))
    yield from sheet.fact("Address", address)
    yield from sheet.fact("VRF", vrf)
    try:
        held = client.get_allocation(address, vrf=vrf)
    except moorage.NotFound as error:
        if error.reason != "ALLOCATION_NOT_FOUND":
            raise
        yield from sheet.fact("State", "HELD BY NOBODY")
        yield from _around(client, address, vrf, since, node="")
        yield from _kept(client, address, vrf)
        raise
    yield from sheet.fact("State", "SUSPECT: a list of its node lacked it" * held.suspect or "HELD")
    yield from sheet.fact("Assigned", times.spelled(held.assign_time))
    yield from sheet.labels(held)
    told = json_format.MessageToDict(held)
    told["use"] = specs.short_name(resources_pb2.Use.DESCRIPTOR, held.use)
    yield from sheet.fields({key: told[key] for key in told if key not in _SAID})
    yield from _around(client, address, vrf, since, node=held.workload.node)


def _around(
    client: moorage.Client, address: str, vrf: str, since: datetime.datetime, *, node: str
) -> Iterator[str]:
    """Yield in what the address lies, and what happened to it."""
    of = client.get_vrf(vrf)
    yield from quarantines.section(of.quarantines)
    pools = (each for each in client.pools(vrf=vrf) if ranges.overlap(each.cidr, address))
    pool = next(pools, None)
    if pool is None:
        yield from sheet.fact("Pool")
    else:
        own_id = names.id_of(pool.name)
        yield from sheet.fact("Pool", f"{own_id}, {pool.cidr}, {columns.state(pool)}")
        yield from sheet.fact("Block", *_block(client, pool, address, node))
    yield from ranges.reservations(client, vrf, address)
    yield from ranges.grants(of, address)
    wanted = filter_pb2.AllocationFilter(cidr=address)
    yield from events.section(client, vrf, [wanted], since, ask=f"--ip {address}")


def _block(
    client: moorage.Client, pool: resources_pb2.Pool, address: str, node: str
) -> Iterator[str]:
    """Yield the open block in which the address lies, if it lies in one."""
    # Those of the node are few; those of the pool may be many thousands.
    for of in [node, ""] if node else [""]:
        for block in client.blocks(pool=pool.name, node=of, page_size=1000):
            if ranges.overlap(block.cidr, address):
                owner = f"of node {block.node}" if block.node else "of no node"
                yield f"{block.cidr}, {owner}, since {times.spelled(block.claim_time)}"
                return


def _kept(client: moorage.Client, address: str, vrf: str) -> Iterator[str]:
    """Yield for whom the address is kept, if it is."""
    found = client.sticky_addresses(vrf=vrf, page_size=1000)
    told = (
        f"{each.owner_key}, until {times.spelled(each.expire_time)}"
        for each in found
        if each.address == address
    )
    yield from sheet.fact("Kept For Owner", *told)
