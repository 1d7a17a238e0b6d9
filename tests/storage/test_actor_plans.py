"""Who acts is looked up by key, also by a planner that knows nothing of the tables yet.

Plans of empty tables stay with a connection while the tables grow.
"""

import time

import pytest
import sqlalchemy as sa

from harness import past, postgres
from moorage_server.storage import actors, catalogs
from moorage_server.storage import database as storage

NOBODY = "{00000000-0000-0000-0000-000000000000}"


@pytest.mark.parametrize(
    ("text", "parameters", "condition"),
    [
        (
            catalogs._SCOPES.text,
            {"vrfs": "{default}", "nodes": "{n1}", "actors": NOBODY},
            "Index Cond: ((uid = acting.uid) AND (month = ",
        ),
        (
            actors._OF_EVENTS.text,
            {"vrf_id": 1, "ids": "{1,2}", "times": "{2030-01-01T00:00:00+00:00,now}"},
            "Index Cond: ((event_id = asked.event_id) AND (vrf_id = ",
        ),
        (
            actors._OF_EVENTS.text,
            {"vrf_id": 1, "ids": "{1}", "times": "{now}"},
            "Index Cond: (uid = events.actor_uid)",
        ),
    ],
)
def test_it_is_looked_up_by_key(
    cluster: postgres.Postgres, text: str, parameters: dict[str, object], condition: str
) -> None:
    with cluster.database(fresh=True) as database:
        past.add_months(database, 2)
        store = storage.Database(database.service_url, threads=1)
        limits = storage.Limits.until(time.monotonic() + 20)

        def explain(connection: sa.Connection) -> str:
            query = sa.text(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {text}")
            return "\n".join(row[0] for row in connection.execute(query, parameters))

        try:
            plan = store.run(explain, limits)
        finally:
            store.close()
    assert condition in plan
    # In no month by the VRF alone.
    assert "Index Cond: (vrf_id = '1'" not in plan
    assert "Seq Scan on actors" not in plan
    assert "Seq Scan on events" not in plan
