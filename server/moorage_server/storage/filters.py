"""The conditions of a filter on rows that say who holds an address, or held it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from moorage_server.domain import addresses, model
from moorage_server.storage.tables.columns import Column

if TYPE_CHECKING:
    Columns = sa.sql.base.ReadOnlyColumnCollection[
        str, sa.Column[Any]
    ]  # their types are the tables'

_EXACT = (
    "network",
    "container_id",
    "interface",
    "node",
    "namespace",
    "pod",
    "pod_uid",
    "cluster",
    "owner_key",
)


def conditions(
    wanted: model.AllocationFilter, *, holder: "Columns", address: Column
) -> list[sa.ColumnElement[bool]]:
    """What rows must fulfil; `holder` are the columns of the attachment and its facts.

    Of a whole attachment, its parts.
    """
    found: list[sa.ColumnElement[bool]] = [
        holder[name] == getattr(wanted, name) for name in _EXACT if getattr(wanted, name)
    ]
    if wanted.within is not None:
        found.append(_inside(address, [wanted.within]))
    if wanted.pools:
        found.append(_inside(address, wanted.pools))
    if wanted.labels:
        found.append(holder["labels"].contains(dict(wanted.labels)))
    return found


def _inside(address: Column, networks: Sequence[addresses.Network]) -> sa.ColumnElement[bool]:
    return sa.or_(*(_within(address, each) for each in networks))


def _within(address: Column, network: addresses.Network) -> sa.ColumnElement[bool]:
    first, last = str(network[0]), str(network[-1])
    # One address by itself, so that an index gives its rows in any order it has.
    return address == first if first == last else address.between(first, last)
