"""A dump that is played into the tables that servers are at work on, whose connections go on."""

import subprocess

import pytest
import sqlalchemy as sa

import moorage
from harness import calls, eventually, postgres, serving
from moorage_server.embedded import binaries

ANEW = b"DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO PUBLIC;"
# A dump of the rows alone goes into the tables that are there, behind the back of their triggers.
EMPTIED = b"""
SET session_replication_role = replica;
SET client_min_messages = warning;
DO $$ BEGIN
    EXECUTE (SELECT 'TRUNCATE ' || string_agg(CAST(oid AS regclass)::text, ', ') || ' CASCADE'
        FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p'));
END $$;
"""


@pytest.mark.parametrize(
    ("before", "options"), [(ANEW, ()), (EMPTIED, ("--data-only",))], ids=["tables", "rows"]
)
def test_it_is_noticed_before_anything_new_is_assigned(
    cluster: postgres.Postgres, before: bytes, options: tuple[str, ...]
) -> None:
    with (
        cluster.database(fresh=True) as database,
        serving.in_process(database) as server,
        moorage.Client(server.target) as client,
    ):
        database.altered = True
        calls.create_pool(client, "a", "10.0.0.0/26", block_size=28)
        for at in range(3):
            calls.assign(client, f"before-{at}")
        dump = run("pg_dump", database, *options).stdout
        for at in range(4):
            calls.assign(client, f"since-{at}")
        eventually.until(lambda: is_played(database, before + dump))
        # The same client goes on, which was told of all seven.
        with pytest.raises(moorage.Conflict) as raised:
            calls.assign(client, "after")
        assert raised.value.reason == "VRF_QUARANTINED"


def is_played(database: postgres.Database, dump: bytes) -> bool:
    """Whether it could be; who numbers the feed meanwhile may deadlock with it."""
    options = ("--single-transaction", "--quiet", "-v", "ON_ERROR_STOP=1")
    done = run("psql", database, *options, given=dump)
    assert not done.returncode or b"deadlock detected" in done.stderr, done.stderr.decode()
    return done.returncode == 0


def run(
    name: str, database: postgres.Database, *options: str, given: bytes = b""
) -> "subprocess.CompletedProcess[bytes]":
    """One of PostgreSQL's programs."""
    url = sa.make_url(database.admin_url)
    where = ["-h", str(url.query["host"]), "-p", str(url.query["port"]), "-U", str(url.username)]
    command = [binaries.find().program(name), *where, "-d", database.name, *options]
    return subprocess.run(command, input=given, capture_output=True, check=False)
