"""A reservation in a description: whether it holds, in which pools, and who is there already."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Iterator

import moorage
from moorage import names
from moorage.ctl.describe import audited, events, quarantines, ranges, sheet
from moorage.v1 import audit_pb2, filter_pb2, resources_pb2

_HELD = ["ADDRESS", "POOL", "NAMESPACE", "POD", "NODE", "OWNER"]


def lines(
    client: moorage.Client, reservation: resources_pb2.Reservation, since: datetime.datetime
) -> Iterator[str]:
    """Yield what is said of a reservation."""
    vrf = names.vrf_of(reservation.name)
    yield from sheet.head(reservation)
    yield from sheet.fact("State", _state(reservation))
    yield from quarantines.section(client.get_vrf(vrf).quarantines)
    yield from sheet.spec(reservation)
    yield from _pools(client, reservation, vrf)
    # One call for each: those that are left out are said to be.
    cidrs = reservation.cidrs[: sheet.MOST_ROWS]
    left = len(reservation.cidrs) - len(cidrs)
    if left:
        told = f"the first {len(cidrs)} CIDRs; {left} are left out"
        yield from sheet.fact("What Follows Is Of", told)
    wanted = [filter_pb2.AllocationFilter(cidr=cidr) for cidr in cidrs]
    yield from _held(client, wanted, vrf)
    kind = audit_pb2.CHANGE_KIND_RESERVATION
    yield from audited.section(client, vrf, kind, names.id_of(reservation.name))
    ask = f"--cidr {cidrs[0]}" if len(cidrs) == 1 else "--cidr CIDR"
    yield from events.section(client, vrf, wanted, since, ask=ask)


def _state(reservation: resources_pb2.Reservation) -> str:
    """Return whether it hides anything now, by the clock of this machine."""
    now = datetime.datetime.now(datetime.UTC)
    expires = reservation.HasField("expire_time")
    over = expires and reservation.expire_time.ToDatetime(tzinfo=datetime.UTC) <= now
    return "EXPIRED" if over else "IN FORCE"


def _pools(
    client: moorage.Client, reservation: resources_pb2.Reservation, vrf: str
) -> Iterator[str]:
    found = ((pool, ranges.common(pool.cidr, reservation.cidrs)) for pool in client.pools(vrf=vrf))
    rows = [
        [names.id_of(pool.name), pool.cidr, ",".join(inside)] for pool, inside in found if inside
    ]
    yield from sheet.table("Pools", ["NAME", "CIDR", "RESERVED"], rows, rest="moorctl get pools")


def _held(
    client: moorage.Client, wanted: list[filter_pb2.AllocationFilter], vrf: str
) -> Iterator[str]:
    """Yield who holds addresses of it: who asked for one by name, or was there before."""
    found = itertools.chain.from_iterable(client.allocations(each, vrf=vrf) for each in wanted)
    rows = [_row(each) for each in itertools.islice(found, sheet.MOST_ROWS + 1)]
    yield from sheet.table("Held", _HELD, rows[: sheet.MOST_ROWS])
    if len(rows) > sheet.MOST_ROWS:
        yield "  and more; see moorctl get allocations --cidr CIDR"


def _row(held: resources_pb2.Allocation) -> list[str]:
    workload = held.workload
    return [
        held.address,
        names.id_of(held.pool),
        workload.namespace,
        workload.pod,
        workload.node,
        held.owner_key,
    ]
