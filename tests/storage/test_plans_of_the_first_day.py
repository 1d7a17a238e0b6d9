"""Statements find their rows by key, also by plans that were made before there were many.

A server that begins with an empty database keeps the plans of its first calls until PostgreSQL has
counted what came since, and all pods of a cluster may come before that.
"""

import importlib
import itertools
import pkgutil
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from harness import postgres
from moorage_server import storage as layer
from moorage_server.storage import database as storage
from moorage_server.storage import looks, statements, tables

# Rows of each table. Plans were seen to change between these, while nobody had counted them.
SIZES = (0, 50, 200, 500, 1000, 2000, 5000)
GROWING = ("attachments", "allocations", "blocks", "events_2", "revisions")
FILL = """
SET LOCAL session_replication_role = replica;
INSERT INTO attachments (uid, vrf_id, network, container_id, interface, state, node, namespace,
    pod, pod_uid, use)
SELECT CAST(encode(substring(sha256(convert_to('1/pods/' || at || '/eth0', 'UTF8')) FOR 16), 'hex')
    AS uuid), 1, 'pods', at, 'eth0', 'HELD', 'n' || at % 16, 'ns', at, 'uid-' || at, 'WORKLOAD'
FROM generate_series({start} + 1, {end}) AS at;
INSERT INTO events (vrf_id, event_id, kind, cause, address, block, pool, network, container_id,
    interface, node, namespace, pod, pod_uid, use)
SELECT 1, at, 'ASSIGNED', 'REQUESTED', '10.0.0.0'::inet + at, '10.0.0.0/8', 'a', 'pods', at,
    'eth0', 'n' || at % 16, 'ns', at, 'uid-' || at, 'WORKLOAD'
FROM generate_series({start} + 1, {end}) AS at;
INSERT INTO revisions (vrf_id, revision, event_id, event_time)
SELECT vrf_id, event_id, event_id, event_time FROM events WHERE event_id > {start};
INSERT INTO allocations (vrf_id, address, block, attachment_uid, position, generation, assign_time)
SELECT 1, '10.0.0.0'::inet + CAST(container_id AS int), '10.0.0.0/8', uid, 0,
    CAST(container_id AS int), clock_timestamp()
FROM attachments WHERE CAST(container_id AS int) > {start};
INSERT INTO blocks (vrf_id, cidr, pool_id, pool_cidr, node, claim_time, free)
SELECT 1, network(set_masklen('10.0.0.0'::inet + at * 4, 30)), 1, '10.0.0.0/8', 'n' || at % 500,
    clock_timestamp(), CASE WHEN {free} THEN '{{0,1,2,3}}' ELSE '{{}}' END::smallint[]
FROM generate_series({start} + 1, {end}) AS at
"""
COLUMNS = {each.name for table in tables.metadata.tables.values() for each in table.columns}
COLUMNS -= {"vrf_id"}
# What is asked about all of a VRF; of what is kept, about all that is, which has an index.
ABOUT_ALL = {"quarantines._AWAIT", "quotas._KEPT", "verifications._DRAW"}


@pytest.mark.parametrize("free", ["false", "at % 100 = 0", "true"])
def test_statements_find_their_rows_by_more_than_the_vrf(
    cluster: postgres.Postgres, free: str
) -> None:
    known = dict(every_statement())
    assert {"looks.ROOM.AnyBlocks.skipping.0", "sandboxes._SIBLINGS"} < known.keys()

    def work(connection: sa.Connection) -> dict[str, object]:
        broad: dict[str, object] = {}
        # In one transaction: nobody else sees the rows, to count them.
        for start, end in itertools.pairwise((0, *SIZES)):
            statements.send(connection, FILL.format(start=start, end=end, free=free))
            plans = {name: plan(connection, each) for name, each in known.items()}
            broad |= {
                name: (end, found)
                for name, each in plans.items()
                for found in filter(is_broad, each)
            }
        return broad

    with cluster.database(fresh=True) as database:
        store = storage.Database(database.admin_url, threads=1)
        broad = store.rehearsing().run(work, storage.Limits.until(time.monotonic() + 60))
        store.close()
    assert broad.keys() == ABOUT_ALL, {name: broad[name] for name in broad.keys() - ABOUT_ALL}


def every_statement() -> Iterator[tuple[str, statements.Statement]]:
    """All of the layer, by where they are."""
    for module in pkgutil.iter_modules(layer.__path__):
        for name, value in vars(importlib.import_module(f"{layer.__name__}.{module.name}")).items():
            yield from within(f"{module.name}.{name}", value)


def within(name: str, value: object) -> Iterator[tuple[str, statements.Statement]]:
    """Those that a value is made of."""
    if isinstance(value, statements.Statement):
        yield name, value
    elif isinstance(value, looks.Look):
        yield from within(name, vars(value))
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from within(f"{name}.{getattr(key, '__name__', key)}", each)
    elif isinstance(value, list | tuple):
        for at, each in enumerate(value):
            yield from within(f"{name}.{at}", each)


def plan(connection: sa.Connection, statement: statements.Statement) -> list[dict[str, Any]]:
    """The parts of the plan that is kept for a statement, whatever its parameters are."""
    numbers: dict[str, int] = {}
    text = re.sub(
        r"(?<!:):([a-z_]+[0-9]*)",
        lambda found: f"${numbers.setdefault(found[1], len(numbers) + 1)}",
        statement.text,
    )
    driver = statements.driver(connection)
    driver.execute(f"PREPARE it AS {text}")
    given = f"({', '.join(['NULL'] * len(numbers))})" if numbers else ""
    [[told]] = driver.execute(f"EXPLAIN (FORMAT JSON) EXECUTE it {given}").fetchall()
    driver.execute("DEALLOCATE it")
    return list(parts(told[0]["Plan"]))


def parts(of: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A part of a plan, and all below."""
    yield of
    for each in of.get("Plans", ()):
        yield from parts(each)


def is_broad(part: dict[str, Any]) -> bool:
    """Whether a part reads all that a VRF has in a table that grows with the pods."""
    looked_at = part.get("Relation Name", "") + part.get("Index Name", "")
    if not looked_at.startswith(GROWING) or part["Node Type"] in (
        "ModifyTable",
        "Bitmap Heap Scan",
    ):
        return False
    return COLUMNS.isdisjoint(re.findall("[a-z_]+", part.get("Index Cond", "")))
