"""What the tables of administered resources share: identity, version, labels, pages by name."""

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypedDict

import sqlalchemy as sa

from moorage_server.storage import arrays

if TYPE_CHECKING:
    Select = sa.Select[*tuple[Any, ...]]  # its columns are those that its module names


class Common(TypedDict):
    """The fields that every administered resource has, read from its row."""

    uid: str
    version: int
    create_time: datetime.datetime
    update_time: datetime.datetime
    labels: dict[str, str]


def common(row: arrays.Row) -> Common:
    """The shared fields of a row."""
    return Common(
        uid=str(row.uid),
        version=row.version,
        create_time=row.create_time,
        update_time=row.update_time,
        labels=row.labels,
    )


def changed(table: sa.Table) -> dict[str, sa.ColumnElement[Any]]:  # of two types
    """What every update sets besides the fields that it changes."""
    return {"version": table.c.version + 1, "update_time": sa.func.clock_timestamp()}


def page(
    query: "Select", table: sa.Table, *, labels: Mapping[str, str], after: str, limit: int
) -> "Select":
    """The rows behind the name `after` that carry all labels, in order of name."""
    matching = query.where(table.c.name > after)
    if labels:
        matching = matching.where(table.c.labels.contains(dict(labels)))
    return matching.order_by(table.c.name).limit(limit)
