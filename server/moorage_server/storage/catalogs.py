"""What requests are decided in: their VRF's catalog and their node's labels.

Compiling a catalog costs milliseconds, so it is kept; but it is only ever used
after the VRF's row, read in the same transaction, has said that it is current.
"""

import dataclasses
import uuid
from collections.abc import Collection, Mapping

import sqlalchemy as sa

from moorage_server.domain import catalog
from moorage_server.storage import arrays, pools, reservations

_SCOPES = sa.text("""
SELECT v.vrf_id, v.name AS vrf, v.catalog_version, asked.node,
    (SELECT n.labels FROM nodes n WHERE n.vrf_id = v.vrf_id AND n.name = asked.node) AS labels
FROM unnest(CAST(:vrfs AS text[]), CAST(:nodes AS text[])) AS asked (vrf, node)
JOIN vrfs v ON v.name = asked.vrf
""")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What one node's requests in one VRF are decided in."""

    catalog: catalog.Catalog
    node_labels: Mapping[str, str]


class Catalogs:
    """The catalogs compiled so far, one for each VRF."""

    def __init__(self) -> None:
        """Begins empty."""
        self._compiled: dict[int, catalog.Catalog] = {}

    def scopes(
        self, connection: sa.Connection, asked: Collection[tuple[str, str]]
    ) -> dict[tuple[str, str], Scope]:
        """The scope of every (VRF, node) asked for; a VRF that is not there is left out."""
        parameters = {
            "vrfs": arrays.texts(vrf for vrf, _ in asked),
            "nodes": arrays.texts(node for _, node in asked),
        }
        rows = connection.execute(_SCOPES, parameters).all()
        return {
            (row.vrf, row.node): Scope(
                catalog=self._current(connection, row.vrf_id, row.vrf, row.catalog_version),
                node_labels=row.labels or {},
            )
            for row in rows
        }

    def _current(
        self, connection: sa.Connection, vrf_id: int, vrf: str, version: uuid.UUID
    ) -> catalog.Catalog:
        known = self._compiled.get(vrf_id)
        if known is None or known.version != version:
            known = _compile(connection, vrf_id, vrf, version)
            self._compiled[vrf_id] = known
        return known


def _compile(
    connection: sa.Connection, vrf_id: int, vrf: str, version: uuid.UUID
) -> catalog.Catalog:
    reserved = reservations.spans(connection, vrf_id)
    offers = tuple(
        catalog.offer(pool_id, pool, reserved)
        for pool_id, pool in pools.with_ids(connection, vrf_id)
    )
    return catalog.Catalog(vrf_id=vrf_id, vrf=vrf, version=version, offers=offers)
