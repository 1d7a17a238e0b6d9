"""Questions about the past find their rows by index, however much has happened."""

import datetime
import re
import time
import types
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from harness import postgres
from moorage_server.domain import addresses, history, model
from moorage_server.storage import allocations
from moorage_server.storage import database as storage
from moorage_server.storage import history as rows

PAST = """
INSERT INTO events (vrf_id, kind, cause, event_time, address, block, pool, assign_generation,
    assign_time, network, container_id, interface, node, namespace, pod, owner_key, use)
SELECT 1, kind, 'REQUESTED', at, '10.0.0.0'::inet + at_most, '10.0.0.0/26', 'a',
    CASE kind WHEN 'RELEASED' THEN number END, CASE kind WHEN 'RELEASED' THEN at END,
    'pods', 'c' || number, 'eth0', 'n' || number % 500, 'ns' || number % 40, 'p' || number % 9000,
    CASE WHEN number % 3 = 0 THEN 'owner' || number % 5000 ELSE '' END, 'WORKLOAD'
FROM generate_series(1, 50000) AS number
CROSS JOIN unnest(ARRAY['ASSIGNED', 'RELEASED']) AS kind
CROSS JOIN LATERAL (SELECT number * 7919 % 20000 AS at_most,
    date_trunc('month', clock_timestamp(), 'UTC') + number * interval '40 seconds' AS at) AS made
"""
PRESENT = """
INSERT INTO attachments (uid, vrf_id, network, container_id, interface, state, node, namespace,
    pod, owner_key, use)
SELECT CAST(encode(substring(sha256(convert_to('1/pods/h' || number || '/eth0', 'UTF8')) FOR 16),
    'hex') AS uuid), 1, 'pods', 'h' || number, 'eth0', 'HELD', 'n' || number % 500,
    'ns' || number % 40, 'p' || number % 9000, 'owner' || number % 5000, 'WORKLOAD'
FROM generate_series(1, 20000) AS number;
INSERT INTO allocations (vrf_id, address, block, attachment_uid, position, generation, assign_time)
SELECT 1, '10.0.0.0'::inet + row, '10.0.0.0/8', uid, 0, 2000000 + row, clock_timestamp()
FROM (SELECT uid, row_number() OVER () AS row FROM attachments) AS numbered
"""
EVER = history.Period()


@pytest.fixture(scope="module")
def busy(cluster: postgres.Postgres) -> Iterator[postgres.Database]:
    """100,000 events, of which PostgreSQL has no statistics yet."""
    with cluster.database(fresh=True) as database:
        database.execute("SELECT setval('events_event_id_seq', 1000000)")
        database.execute(PAST)
        # Without blocks, which nobody asks for here.
        database.execute(f"SET session_replication_role = replica; {PRESENT}")
        yield database


@pytest.fixture
def store(busy: postgres.Database) -> Iterator[storage.Database]:
    """The service's connections, with the settings of its transactions."""
    opened = storage.Database(busy.service_url, threads=1)
    yield opened
    opened.close()


def explained(
    store: storage.Database, monkeypatch: pytest.MonkeyPatch, ask: Callable[[sa.Connection], object]
) -> str:
    """The plan of the query that is asked, and how many rows it looked at in vain."""
    plans: list[str] = []

    def work(connection: sa.Connection) -> None:
        def explain(
            conn: sa.Connection, cursor: object, statement: str, parameters: object, *_: object
        ) -> tuple[str, object]:
            return f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {statement}", parameters

        sa.event.listen(connection, "before_cursor_execute", explain, retval=True)
        execute = connection.execute

        def keep(*arguments: object) -> types.SimpleNamespace:
            found = execute(*arguments)  # type: ignore[call-overload]  # as they came
            plans.extend(str(row[0]) for row in found)
            return types.SimpleNamespace(all=list)

        with monkeypatch.context() as patched:
            patched.setattr(connection, "execute", keep)
            ask(connection)

    store.run(work, storage.Limits.until(time.monotonic() + 20), snapshot=True)
    return "\n".join(plans)


def asking(
    during: history.Period = EVER, after: int = 0, **fields: object
) -> Callable[[sa.Connection], object]:
    wanted = model.AllocationFilter(vrf="default", **fields)  # type: ignore[arg-type]  # of several types

    def ask(connection: sa.Connection) -> object:
        return rows.released(connection, 1, wanted, during=during, after=after, limit=101)

    return ask


def asking_who_holds(after: int = 0, **fields: object) -> Callable[[sa.Connection], object]:
    wanted = model.AllocationFilter(vrf="default", **fields)  # type: ignore[arg-type]  # as above

    def ask(connection: sa.Connection) -> object:
        return allocations.assigned(connection, 1, wanted, before=None, after=after, limit=101)

    return ask


def network(text: str) -> addresses.Network:
    return addresses.parse_network_or_address(text)


QUESTIONS = [
    (asking(), "expr_vrf_id"),
    (asking(after=30000), "expr_vrf_id"),
    (asking(within=network("10.0.0.7")), "address_vrf_id_assign_generation"),
    (asking(within=network("10.0.0.7"), after=9000), "address_vrf_id_assign_generation"),
    (asking(namespace="ns7", pod="p47"), "namespace_pod"),
    (asking(node="n7"), "node_vrf_id"),
    (asking(owner_key="owner9"), "owner_key"),
    (asking(container_id="c77"), "container_id"),
    (asking_who_holds(within=network("10.0.0.7")), "allocations_pkey"),
    (asking_who_holds(namespace="ns7", pod="p47"), "attachments_held_pod_idx"),
    (asking_who_holds(node="n7"), "attachments_held_node_idx"),
    (asking_who_holds(owner_key="owner9"), "attachments_owner_idx"),
    (asking_who_holds(container_id="h77"), "attachments_container_idx"),
]
# What is held is counted soon enough: pods do not all come within a minute.
KNOWN = [
    (asking_who_holds(), "allocations_generation_idx"),
    (asking_who_holds(after=2_010_000), "allocations_generation_idx"),
]
LOST = r"Rows Removed by Filter: (\d+)"


@pytest.mark.parametrize("analyzed", [False, True])
def test_a_page_is_read_by_its_index_and_in_order(
    busy: postgres.Database,
    store: storage.Database,
    monkeypatch: pytest.MonkeyPatch,
    analyzed: bool,
) -> None:
    if analyzed:
        busy.execute("ANALYZE events, allocations, attachments")
    for ask, index in QUESTIONS + KNOWN * analyzed:
        plan = explained(store, monkeypatch, ask)
        assert "Seq Scan" not in plan.replace("Seq Scan on events_default", ""), plan
        assert index in plan, plan
        assert sum(map(int, re.findall(LOST, plan))) < 200, plan


def test_months_before_the_question_are_not_looked_at(
    busy: postgres.Database, store: storage.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=32)
    month = f"events_{datetime.datetime.now(datetime.UTC):%Y_%m}"
    ask = asking(history.Period(start=start), within=network("10.0.0.7"))
    assert month not in explained(store, monkeypatch, ask)
