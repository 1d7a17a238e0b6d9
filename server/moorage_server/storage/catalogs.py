"""What requests are decided in: their VRF's catalog and their node's labels.

Compiling a catalog costs milliseconds, so it is kept; but it is only ever used
after the VRF's row, read in the same transaction, has said that it is current.
"""

import dataclasses
import datetime
import uuid
from collections.abc import Collection, Mapping

import sqlalchemy as sa

from moorage_server.domain import catalog, errors, model, offers
from moorage_server.domain.actors import Act
from moorage_server.storage import (
    actors,
    arrays,
    pools,
    quarantines,
    reservations,
    statements,
    vrfs,
)
from moorage_server.storage.positions import Positions, Standing

_SCOPES_TEXT = """
SELECT v.vrf_id, v.name AS vrf, v.catalog_version, v.strict_affinity, v.auto_allocate_blocks,
    v.max_blocks_per_node, v.cooldown_seconds, v.history_retention_days,
    CAST(v.epoch AS text) AS epoch, coalesce(h.revision, 0) AS head,
    pg_postmaster_start_time() AS start_time, pg_backend_pid() AS pid,
    pg_relation_filepath(v.tableoid) AS file, CAST(v.xmin AS text) AS written_by,
    clock_timestamp() AS now, (SELECT tick FROM ticks) AS tick, asked.node,
    n.uid AS node_uid, n.version AS node_version, n.labels, {unknown} AS unknown
FROM unnest(CAST(:vrfs AS text[]), CAST(:nodes AS text[])) AS asked (vrf, node)
JOIN vrfs v ON v.name = asked.vrf
LEFT JOIN revision_heads h ON h.vrf_id = v.vrf_id
LEFT JOIN nodes n ON n.vrf_id = v.vrf_id AND n.name = asked.node
"""
_SCOPES = statements.Statement(_SCOPES_TEXT.format(unknown=actors.UNKNOWN))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What one node's requests in one VRF are decided in, and when.

    `now` is by the database's clock, which may be set; `tick` counts seconds that have
    passed, see `storage.ticks`. `standing` is where the feed is. `unknown_actors`: of those who
    were named, whom the database does not know, see `storage.actors`.
    """

    catalog: catalog.Catalog
    standing: Standing
    node: str
    node_state: tuple[uuid.UUID | None, int]
    node_labels: Mapping[str, str]
    now: datetime.datetime
    tick: int
    unknown_actors: frozenset[str] = frozenset()

    @property
    def sweep(self) -> "Sweep":
        """What is not to be swept again as long as nothing of it changes."""
        return self.catalog.version, self.node, self.node_state


Sweep = tuple[uuid.UUID, str, tuple[uuid.UUID | None, int]]


class Catalogs:
    """What a process knows from one transaction to the next: the catalogs compiled so far, one for
    each VRF, whose blocks were looked through, and how far the feeds have come.
    """

    def __init__(self) -> None:
        """Begins empty."""
        self._compiled: dict[int, catalog.Catalog] = {}
        # Nodes that own no empty block of a pool which does not select them, as far as
        # catalog and node are in these states. Only saves looking with every request.
        self.swept: set[Sweep] = set()
        # How far the feeds had come when this process looked last.
        self.positions = Positions()

    def scopes(
        self,
        connection: sa.Connection,
        asked: Collection[tuple[str, str]],
        by: Collection[Act] = (),
    ) -> dict[tuple[str, str], Scope]:
        """The scope of every (VRF, node) asked for; a VRF that is not there is left out.

        Whoever may write events says `by` whom.
        """
        parameters = {
            "actors": arrays.texts({each.actor.uid for each in by}),
            "vrfs": arrays.texts(vrf for vrf, _ in asked),
            "nodes": arrays.texts(node for _, node in asked),
        }
        rows = _SCOPES.rows(connection, parameters)
        return {
            (row.vrf, row.node): Scope(
                catalog=self._current(connection, row),
                standing=_standing(row),
                node=row.node,
                node_state=(row.node_uid, row.node_version or 0),
                node_labels=row.labels or {},
                now=row.now,
                tick=row.tick,
                unknown_actors=frozenset(map(str, row.unknown)),
            )
            for row in rows
        }

    def find(self, connection: sa.Connection, vrf: str, by: Collection[Act] = ()) -> Scope | None:
        """The scope of a VRF and no node; None where the VRF is not there."""
        return self.scopes(connection, {(vrf, "")}, by).get((vrf, ""))

    def require(self, connection: sa.Connection, vrf: str, by: Collection[Act] = ()) -> Scope:
        """The same; raises VrfNotFound."""
        found = self.find(connection, vrf, by)
        if found is None:
            raise errors.VrfNotFound(vrf)
        return found

    def _current(self, connection: sa.Connection, row: arrays.Row) -> catalog.Catalog:
        known = self._compiled.get(row.vrf_id)
        if known is None or known.version != row.catalog_version or known.is_over(row.now):
            known = _compile(connection, row)
            self._compiled[row.vrf_id] = known
            # Whatever is kept of other versions will not be asked for again.
            self.swept.clear()
        return known


def _standing(row: arrays.Row) -> Standing:
    return Standing(
        vrf=row.vrf,
        vrf_id=row.vrf_id,
        position=model.Position(epoch=row.epoch, revision=row.head),
        backend=(row.start_time, row.pid, row.file, row.written_by),
    )


def _compile(connection: sa.Connection, row: arrays.Row) -> catalog.Catalog:
    reserved, expire_time = reservations.reserved(connection, row.vrf_id, row.now)
    # A statement of its own: grants may be long, and only compiling needs them.
    policy, quotas = vrfs.policy(connection, row.vrf_id)
    compiled = tuple(
        offers.offer(pool_id, pool, reserved, policy)
        for pool_id, pool in pools.with_ids(connection, row.vrf_id)
    )
    return catalog.Catalog(
        vrf_id=row.vrf_id,
        vrf=row.vrf,
        version=row.catalog_version,
        offers=compiled,
        configuration=vrfs.configuration(row),
        expire_time=expire_time,
        quarantines=quarantines.begun(connection, row.vrf_id),
        quotas=quotas,
    )
