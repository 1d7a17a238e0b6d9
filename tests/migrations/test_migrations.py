"""Migrations: they go up, down and up again, and end in the schema that the code describes."""

import pathlib
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

import moorage
from harness import postgres, serving
from moorage.v1 import resources_pb2
from moorage_server.embedded import cluster as embedded
from moorage_server.storage import schema, tables


@pytest.fixture
def empty(cluster: postgres.Postgres) -> Iterator[postgres.Database]:
    """A database without a schema."""
    with cluster.database(template="template0") as fresh:
        yield fresh


def described(database: postgres.Database) -> list[str]:
    """The schema as CREATE statements, in an order of its own."""
    with database.connect() as connection:
        columns = connection.execute(
            sa.text(
                "SELECT table_name, column_name, data_type, udt_name, is_nullable, column_default,"
                " is_identity, is_generated, generation_expression"
                " FROM information_schema.columns WHERE table_schema = 'public'"
                " AND table_name <> 'alembic_version' AND table_name NOT LIKE 'events\\_%'"
                " ORDER BY table_name, ordinal_position"
            )
        ).all()
        constraints = connection.execute(
            sa.text(
                "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)"
                " FROM pg_constraint WHERE connamespace = 'public'::regnamespace"
                " AND conrelid::regclass::text <> 'alembic_version'"
                " AND conrelid::regclass::text NOT LIKE 'events\\_%' ORDER BY 1, 2"
            )
        ).all()
        indexes = connection.execute(
            sa.text(
                "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
                " AND tablename <> 'alembic_version' AND tablename NOT LIKE 'events\\_%' ORDER BY 1"
            )
        ).all()
        options = connection.execute(
            sa.text(
                "SELECT relname, reloptions FROM pg_class WHERE relkind = 'r'"
                " AND NOT relispartition"
                " AND relnamespace = 'public'::regnamespace"
                " AND relname <> 'alembic_version' ORDER BY 1"
            )
        ).all()
    return [str(tuple(row)) for row in (*columns, *constraints, *indexes, *options)]


def test_the_migrations_end_in_the_schema_of_the_tables(
    cluster: postgres.Postgres, empty: postgres.Database
) -> None:
    schema.migrate(empty.owner_url)
    with cluster.database(template="template0") as modelled:
        modelled.execute("CREATE EXTENSION btree_gist")
        engine = sa.create_engine(modelled.owner_url, poolclass=sa.NullPool)
        tables.metadata.create_all(engine)
        assert described(empty) == described(modelled)


def test_up_down_and_up_again(empty: postgres.Database) -> None:
    schema.migrate(empty.owner_url)
    before = described(empty)
    schema.migrate(empty.owner_url, "base")
    assert described(empty) == []
    schema.migrate(empty.owner_url)
    assert described(empty) == before


def test_what_was_there_before_grants_is_nobodys_alone(empty: postgres.Database) -> None:
    pool = (
        "INSERT INTO pools (vrf_id, name, cidr, block_size, node_selector, allowed_uses,"
        " assignment_mode, disabled, block_affinity, priority, result_form, excluded_ranges,"
        " exclude_network_addresses) VALUES (1, '{0}', '{1}', 26, 'all()', '{{WORKLOAD}}',"
        " 'AUTOMATIC', false, 'NONE', 0, 'HOST', '{{}}', false)"
    )
    schema.migrate(empty.owner_url, "0001")
    empty.execute(pool.format("before", "10.0.0.0/24"))
    empty.execute("INSERT INTO vrfs (name) VALUES ('blue')")
    schema.migrate(empty.owner_url)
    # As a server of before writes, beside those that know of grants.
    empty.execute(pool.format("beside", "10.0.1.0/24"))
    with serving.in_process(empty) as server, moorage.Client(server.target) as client:
        assert {each.name: list(each.fixed_address_grants) for each in client.vrfs()} == {
            "vrfs/blue": [],
            "vrfs/default": [],
        }
        for each in client.pools():
            assert not each.allowed_namespaces
            assert each.fixed_addresses == resources_pb2.FIXED_ADDRESSES_ANY
        changed = resources_pb2.Pool(name="vrfs/default/pools/beside", allowed_namespaces=["shop"])
        client.update_pool(changed, update_mask=["allowed_namespaces"])
        # And so does a server of before that changes what it knows of.
        empty.execute("UPDATE pools SET priority = 3, version = version + 1")
        assert list(client.get_pool("beside").allowed_namespaces) == ["shop"]


def test_what_servers_of_before_write_is_nobodys(empty: postgres.Database) -> None:
    event = (
        "INSERT INTO events (vrf_id, event_id, kind, cause, address, block, pool,"
        " assign_generation, assign_time, network, container_id, interface, use) VALUES (1, {1},"
        " 'RELEASED', 'REQUESTED', '10.0.0.1', '10.0.0.0/26', 'a', {1} - 1, now(), 'pods', '{0}',"
        " 'eth0', 'WORKLOAD')"
    )
    schema.migrate(empty.owner_url, "0002")
    empty.execute(event.format("before", 2))
    schema.migrate(empty.owner_url)
    empty.execute(event.format("beside", 4))
    with serving.in_process(empty) as server, moorage.Client(server.target) as client:
        told = {each.allocation.attachment.container_id: each for each in client.history()}
        assert told.keys() == {"before", "beside"}
        assert not any(each.HasField("release_actor") for each in told.values())


def test_migrating_twice_changes_nothing(empty: postgres.Database) -> None:
    schema.migrate(empty.owner_url)
    schema.migrate(empty.owner_url)
    assert empty.scalar("SELECT count(*) FROM vrfs") == 1


def test_the_service_may_not_change_history_nor_the_schema(database: postgres.Database) -> None:
    for statement in (
        "UPDATE events SET kind = 'ASSIGNED'",
        "DELETE FROM events",
        "TRUNCATE events",
        "DROP TABLE allocations",
        "ALTER TABLE allocations DROP CONSTRAINT allocations_pkey",
        "CREATE TABLE mine (id int)",
        "UPDATE alembic_version SET version_num = '9999'",
        "UPDATE schema_floor SET revision = '0000'",
        "UPDATE actors SET name = 'somebody'",
        "DELETE FROM actors",
        "TRUNCATE changes",
        "UPDATE changes SET actor_uid = gen_random_uuid()",
        "DELETE FROM changes",
    ):
        with (
            database.connect(database.service_url) as connection,
            pytest.raises(sa.exc.ProgrammingError, match=r"permission denied|must be owner"),
        ):
            connection.execute(sa.text(statement))


def test_the_reader_sees_everything(database: postgres.Database) -> None:
    with database.connect(database.reader_url) as connection:
        for table in tables.metadata.tables:
            connection.execute(sa.text(f"SELECT * FROM {table} LIMIT 1"))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE vrfs SET description = 'mine'",
        "INSERT INTO ticks (tick) VALUES (7)",
        "DELETE FROM allocations",
        "TRUNCATE events",
        "SELECT * FROM vrfs FOR UPDATE",
        "LOCK TABLE vrfs IN EXCLUSIVE MODE",
        "SELECT nextval('events_event_id_seq')",
        "SELECT keep_history(1)",
        "SELECT keep_audit(1)",
        "INSERT INTO changes (vrf, method, kind, name, actor_uid) VALUES ('', '', 'VRF', '', NULL)",
        "CREATE TABLE mine (id int)",
        "CREATE SCHEMA mine",
        "DROP TABLE allocations",
    ],
)
def test_the_reader_may_change_nothing(database: postgres.Database, statement: str) -> None:
    with (
        database.connect(database.reader_url) as connection,
        pytest.raises(sa.exc.ProgrammingError, match=r"permission denied|must be owner"),
    ):
        connection.execute(sa.text(statement))


def test_a_reader_that_is_made_later_sees_everything_after_migrating_again(
    cluster: postgres.Postgres, empty: postgres.Database
) -> None:
    cluster.execute(f"ALTER ROLE {embedded.READER_ROLE} RENAME TO moorage_elsewhere")
    try:
        schema.migrate(empty.owner_url)
    finally:
        cluster.execute(f"ALTER ROLE moorage_elsewhere RENAME TO {embedded.READER_ROLE}")
    # The password of a role goes with its name.
    cluster.execute(f"ALTER ROLE {embedded.READER_ROLE} PASSWORD '{embedded.READER_ROLE}'")
    schema.migrate(empty.owner_url)
    with empty.connect(empty.reader_url) as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM vrfs")) == 1


def test_nobody_but_the_owner_makes_anything_in_the_schema(empty: postgres.Database) -> None:
    empty.execute("GRANT CREATE ON SCHEMA public TO PUBLIC")
    schema.migrate(empty.owner_url)
    for url in (empty.service_url, empty.reader_url):
        with (
            empty.connect(url) as connection,
            pytest.raises(sa.exc.ProgrammingError, match="permission denied for schema public"),
        ):
            connection.execute(sa.text("CREATE TABLE mine (id int)"))


def test_what_stands_before_the_tables_is_not_taken_for_them(database: postgres.Database) -> None:
    role = embedded.SERVICE_ROLE
    database.execute(f"CREATE SCHEMA {role}")
    database.execute(f"CREATE VIEW {role}.vrfs AS SELECT * FROM public.vrfs WHERE false")
    database.execute(
        f"GRANT USAGE ON SCHEMA {role} TO {role}; GRANT SELECT ON {role}.vrfs TO {role}"
    )
    with serving.in_process(database) as server, moorage.Client(server.target) as client:
        assert [vrf.name for vrf in client.vrfs()] == ["vrfs/default"]
    database.execute(f"DROP SCHEMA {role} CASCADE")


def test_a_missing_service_role_is_told_with_the_statement_that_makes_it(
    cluster: postgres.Postgres, empty: postgres.Database
) -> None:
    cluster.execute(f"ALTER ROLE {embedded.SERVICE_ROLE} RENAME TO moorage_elsewhere")
    try:
        with pytest.raises(schema.SchemaError, match="CREATE ROLE moorage_service LOGIN"):
            schema.migrate(empty.owner_url)
    finally:
        cluster.execute(f"ALTER ROLE moorage_elsewhere RENAME TO {embedded.SERVICE_ROLE}")


def test_an_old_schema_is_refused_with_the_command_that_mends_it(empty: postgres.Database) -> None:
    with empty.connect() as connection, pytest.raises(schema.SchemaError) as refusal:
        schema.require_current(connection)
    assert re.fullmatch(
        r"the database is at schema none, this server needs \d{4}; "
        r"run: moorage-server migrate --database-url URL-OF-THE-OWNER",
        str(refusal.value),
    )


def test_a_schema_that_has_left_this_server_behind_is_refused(empty: postgres.Database) -> None:
    schema.migrate(empty.owner_url)
    empty.execute("UPDATE alembic_version SET version_num = '9998'")
    with empty.connect() as connection:
        schema.require_current(connection)
    empty.execute("UPDATE schema_floor SET revision = '9997'")
    with (
        empty.connect() as connection,
        pytest.raises(schema.Misfit, match=r"at schema 9998, which serves servers of 9997 and la"),
    ):
        schema.require_current(connection)


def test_a_lock_that_others_hold_is_asked_for_until_it_is_free(
    empty: postgres.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema.migrate(empty.owner_url)
    with empty.connect() as holder:
        holder.execute(sa.text("SELECT FROM allocations"))
        monkeypatch.setattr("time.sleep", lambda _: holder.rollback())
        schema.migrate(empty.owner_url, "base")
    assert described(empty) == []


def test_a_lock_that_never_gets_free_is_told(
    empty: postgres.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema.migrate(empty.owner_url)
    before = described(empty)
    monkeypatch.setattr(schema, "TRIES", 2)
    monkeypatch.setattr(schema, "PAUSE", 0)
    with empty.connect() as holder:
        holder.execute(sa.text("SELECT FROM allocations"))
        with pytest.raises(schema.SchemaError, match=r"2 times: .*nothing was changed"):
            schema.migrate(empty.owner_url, "base")
    assert described(empty) == before


def test_the_installed_program_migrates(empty: postgres.Database, program: str) -> None:
    command = [program, "migrate", "--database-url", empty.owner_url]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout == f"schema is at {schema.head()}\n"
    with empty.connect() as connection:
        schema.require_current(connection)


def test_the_alembic_command_finds_no_difference(empty: postgres.Database) -> None:
    schema.migrate(empty.owner_url)
    alembic = str(pathlib.Path(sys.executable).parent / "alembic")
    command = [alembic, "-x", f"url={empty.owner_url}", "check"]
    root = pathlib.Path(__file__).resolve().parents[2]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert result.stdout == "No new upgrade operations detected.\n", result.stderr
