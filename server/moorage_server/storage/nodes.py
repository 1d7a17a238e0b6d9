"""Rows of nodes: their labels. Which blocks a node owns is in `blocks`."""

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from moorage_server.domain import errors, resources
from moorage_server.storage import arrays, stored, tables, vrfs

_TABLE = tables.nodes
_SELECT = sa.select(tables.vrfs.c.name.label("vrf"), _TABLE).join_from(
    _TABLE, tables.vrfs, tables.vrfs.c.vrf_id == _TABLE.c.vrf_id
)


def get(connection: sa.Connection, vrf: str, name: str) -> resources.Node:
    """A node; raises NodeNotFound, also without the VRF."""
    row = connection.execute(_named(vrf, name)).one_or_none()
    if row is None:
        raise errors.NodeNotFound(vrf, name)
    return _node(row)


def lock(connection: sa.Connection, vrf: str, name: str) -> resources.Node | None:
    """A node, for changing it; None where it is not there."""
    row = connection.execute(_named(vrf, name).with_for_update(of=_TABLE)).one_or_none()
    return None if row is None else _node(row)


def page(
    connection: sa.Connection, vrf: str, *, labels: Mapping[str, str], after: str, limit: int
) -> list[resources.Node]:
    """Nodes of a VRF in order of name, from the one behind `after`."""
    of_vrf = _SELECT.where(tables.vrfs.c.name == vrf)
    query = stored.page(of_vrf, _TABLE, labels=labels, after=after, limit=limit)
    return [_node(row) for row in connection.execute(query)]


def upsert(connection: sa.Connection, node: resources.Node) -> None:
    """Writes the labels of a node, new or not; a node that has them stays as it is."""
    insert = pg.insert(_TABLE).values(
        vrf_id=vrfs.id_of(node.vrf), name=node.name, labels=dict(node.labels)
    )
    new = insert.excluded.labels
    connection.execute(
        insert.on_conflict_do_update(
            index_elements=[_TABLE.c.vrf_id, _TABLE.c.name],
            set_={"labels": new, **stored.changed(_TABLE)},
            where=_TABLE.c.labels != new,
        )
    )


def delete(connection: sa.Connection, node: resources.Node) -> None:
    """Removes a node."""
    connection.execute(
        _TABLE.delete().where(_TABLE.c.vrf_id == vrfs.id_of(node.vrf), _TABLE.c.name == node.name)
    )


def _named(vrf: str, name: str) -> "stored.Select":
    return _SELECT.where(tables.vrfs.c.name == vrf, _TABLE.c.name == name)


def _node(row: arrays.Row) -> resources.Node:
    return resources.Node(vrf=row.vrf, name=row.name, **stored.common(row))
