"""The database that schedules are played on: made once for a pair, put back for each schedule.

Rows are put back by SQL from copies kept beside them, which takes milliseconds; sequences
go on. The replica role passes over foreign keys' triggers, so tables may go in any order.
"""

import json
from typing import Any

import psycopg

from harness import invariants, postgres
from moorage_server.storage import tables

_TABLES = tables.metadata.tables

# Every table's rows as they are compared: without times and random values, generations
# by their order. `holder` names an attachment by its container.
_ROWS = """
WITH holders AS (SELECT uid, vrf_id, container_id AS holder FROM attachments),
rank AS (SELECT event_id, row_number() OVER (ORDER BY event_id) AS generation FROM events)
SELECT jsonb_build_object(
'pools', (SELECT jsonb_agg(to_jsonb(p) - '{uid,pool_id,create_time,update_time}'::text[]
    || jsonb_build_object('unused', (SELECT sum(upper(run) - lower(run))
        FROM pool_frontiers f, unnest(f.unused) AS run WHERE f.pool_id = p.pool_id))
    ORDER BY p.name) FROM pools p),
'reservations', (SELECT jsonb_agg(jsonb_build_array(name, cidrs, owner_key) ORDER BY name)
    FROM reservations),
'attachments', (SELECT jsonb_agg(to_jsonb(a) - '{uid,change_time}'::text[]
    ORDER BY a.container_id) FROM attachments a),
'blocks', (SELECT jsonb_agg(jsonb_build_object('pool', p.name, 'cidr', b.cidr, 'node', b.node,
    'free', b.free, 'cooling', (SELECT jsonb_agg(jsonb_build_array(entry->0, entry->2))
        FROM jsonb_array_elements(b.cooling) AS entry),
    'sticky', (SELECT jsonb_agg(jsonb_build_array(entry->0, entry->2, entry->3, entry->4))
        FROM jsonb_array_elements(b.sticky) AS entry)) ORDER BY b.cidr)
    FROM blocks b JOIN pools p USING (pool_id)),
'allocations', (SELECT jsonb_agg(to_jsonb(l)
    - '{attachment_uid,assign_time,vrf_id,generation,suspect_tick}'::text[]
    || jsonb_build_object('holder', h.holder, 'address', host(l.address),
        'generation', r.generation, 'suspect', l.suspect_tick IS NOT NULL)
    ORDER BY h.holder, l.position)
    FROM allocations l JOIN holders h ON h.uid = l.attachment_uid
    JOIN rank r ON r.event_id = l.generation),
'events', (SELECT jsonb_agg(jsonb_build_array(e.container_id, e.kind, e.cause, e.pool,
    host(e.address), a.generation, e.owner_key, e.node, e.pod_uid, e.yielded) ORDER BY e.event_id)
    FROM events e LEFT JOIN rank a ON a.event_id = e.assign_generation),
'feed', (SELECT jsonb_agg(jsonb_build_array(vrf_id, revision) ORDER BY vrf_id)
    FROM revision_heads),
'ticks', (SELECT jsonb_agg(tick) FROM ticks))
"""
_ASSIGNED = "SELECT event_id, container_id, host(address) FROM events WHERE kind = 'ASSIGNED'"


class Ground:
    """One database with a state to come back to."""

    def __init__(self, database: postgres.Database) -> None:
        """Keeps copies of all tables from now on."""
        self._database = database
        self._admin: psycopg.Connection[Any] = psycopg.connect(
            database.admin_url.replace("+psycopg", ""), autocommit=True
        )
        # So that a deadlock is found by whoever came last, as soon as there is one.
        self._admin.execute(f"ALTER DATABASE {database.name} SET deadlock_timeout = '1ms'")
        self._admin.execute("SET session_replication_role = replica")
        self._admin.execute("CREATE SCHEMA kept")
        self._known: set[str] = set()
        self._restoring = ""

    def close(self) -> None:
        """Ends the connection of its own."""
        self._admin.close()

    def keep(self) -> None:
        """What is stored now is what `restore` comes back to."""
        for name in _TABLES:
            self._admin.execute(f"CREATE TABLE kept.{name} AS TABLE public.{name}")
        self._restoring = "".join(map(_restoring, _TABLES))

    def restore(self) -> None:
        """Puts every row back as it was."""
        self._admin.execute(self._restoring)

    def rows(self) -> dict[str, list[Any]]:
        """What is stored, as it is compared."""
        row = self._admin.execute(_ROWS).fetchone()
        assert row is not None
        return {name: rows or [] for name, rows in row[0].items()}

    def assigned(self) -> set[tuple[int, str, str]]:
        """Every assignment there ever was: generation, container, address."""
        return set(self._admin.execute(_ASSIGNED).fetchall())

    def check(self, rows: dict[str, list[Any]]) -> None:
        """The invariants hold; once for each state, of which `rows` are the whole."""
        text = json.dumps(rows, sort_keys=True)
        if text not in self._known:
            invariants.check(self._database)
            self._known.add(text)


def _restoring(name: str) -> str:
    columns = ", ".join(each.name for each in _TABLES[name].columns if each.computed is None)
    return (
        f"DELETE FROM public.{name}; INSERT INTO public.{name} ({columns})"
        f" OVERRIDING SYSTEM VALUE SELECT {columns} FROM kept.{name};"
    )
