"""What is held, in order of address, as it is told: whoever reads it reads all there is.

To make an allocation of each row, with its key, its facts, its address and its block, only
to write all of them out as texts again, was two thirds of what a listing cost. So the texts
are the database's own.
"""

import contextlib
import datetime
import ipaddress
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from moorage_server.domain import addresses, model
from moorage_server.storage import filters, statements


class Alike(NamedTuple):
    """What many of a page have alike; `labels` are the text of a JSON object."""

    block: str
    network: str
    interface: str
    node: str
    namespace: str
    cluster: str
    use: str
    sticky_seconds: int
    labels: str
    yielded: bool
    suspect: bool


class Held(NamedTuple):
    """One address, and who holds it."""

    address: str
    generation: int
    assign_time: datetime.datetime
    container_id: str
    pod: str
    pod_uid: str
    owner_key: str
    alike: Alike


_OWN: Final = len(Held._fields) - 1

_ROWS = """
SELECT host(l.address), l.generation, l.assign_time, a.container_id, a.pod, a.pod_uid, a.owner_key,
    CAST(l.block AS text), a.network, a.interface, a.node, a.namespace, a.cluster, a.use,
    a.sticky_seconds, CAST(a.labels AS text), l.yielded, l.suspect_tick IS NOT NULL
FROM allocations l JOIN attachments a ON a.uid = l.attachment_uid
WHERE {condition} ORDER BY l.address {bound}
"""


def page(
    connection: sa.Connection,
    vrf_id: int,
    wanted: model.AllocationFilter,
    *,
    after: addresses.Address | None,
    limit: int,
) -> list[Held]:
    """So many, from the one behind `after`."""
    of = filters.held(vrf_id, wanted)
    if after is not None:
        of = of.also("l.address > CAST(:after AS inet)", after=str(after))
    statement = statements.Statement(_ROWS.format(condition=of.text, bound="LIMIT :limit"))
    return statement.made(connection, {**of.parameters, "limit": limit}, _made)


def everything(
    connection: sa.Connection,
    vrf_id: int,
    wanted: model.AllocationFilter,
    *,
    fetched: int | None = None,
) -> contextlib.AbstractContextManager[Iterator[Held]]:
    """Lends all, like `Statement.stream`."""
    of = filters.held(vrf_id, wanted)
    statement = statements.Statement(_ROWS.format(condition=of.text, bound=""))
    return statement.stream(connection, of.parameters, _made, fetched=fetched)


def _made(row: Sequence[Any]) -> Held:
    made = Held._make((*row[:_OWN], Alike._make(row[_OWN:])))
    return made if made.address[0] != ":" else _respelled(made)


def _respelled(made: Held) -> Held:
    # The end of what begins with 96 zeros is an IPv4 address to PostgreSQL, and to nobody else.
    if "." not in made.address + made.alike.block:
        return made
    address, block = ipaddress.ip_address(made.address), ipaddress.ip_network(made.alike.block)
    return made._replace(address=str(address), alike=made.alike._replace(block=str(block)))
