"""A release gives way to the next one under load, in every order, and back: no runtime hears of it.

There is one release yet. So the next one is made of it: a migration adds a column, and its servers
write there, which the servers of before cannot read and the schema of before does not have.
"""

import pathlib
import subprocess

import pytest

import moorage
from harness import calls, postgres, serving, variants
from load import rolling
from moorage_server.storage import schema

NEXT = f"{int(schema.head()) + 1:04}"
_MIGRATION = '''"""Which release has assigned an address."""

from alembic import op

revision = "{revision}"
down_revision = "{before}"


def upgrade():
    op.execute("ALTER TABLE allocations ADD COLUMN release TEXT DEFAULT 'first' NOT NULL")
    op.execute(
        "ALTER TABLE allocations ADD CONSTRAINT allocations_release CHECK (release <> '') NOT VALID"
    )
    op.execute("CREATE TABLE releases (name TEXT PRIMARY KEY)")
    op.execute("GRANT SELECT ON releases TO moorage_service")
'''
# What an assign writes, in this release and in the next.
_WRITTEN = (
    """    yielded)
SELECT :vrf_id, address, block, uid, position, event_id, event_time, yielded FROM new""",
    """    yielded, release)
SELECT :vrf_id, address, block, uid, position, event_id, event_time, yielded, 'next' FROM new""",
)


def next_release(folder: pathlib.Path) -> pathlib.Path:
    """Makes it; returns where its modules are."""
    modules = variants.changed(folder / "next", "storage/holdings.py", *_WRITTEN)
    versions = modules / "moorage_server" / "migrations" / "versions"
    migration = _MIGRATION.format(revision=NEXT, before=schema.head())
    (versions / f"{NEXT}_releases.py").write_text(migration)
    return modules


def migrate(source: pathlib.Path, database: postgres.Database) -> None:
    """As an operator does it, with the program of that release."""
    command = [str(serving.PROGRAM), "migrate", "--database-url", database.owner_url]
    environment = {"PYTHONPATH": str(source)}
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert told.stdout == f"schema is at {NEXT}\n"


def writer(replica: rolling.Replica, database: postgres.Database) -> str:
    """The release whose servers write what it writes."""
    with moorage.Client(f"127.0.0.1:{replica.port}", timeout=30) as client:
        [held] = calls.assign(client, "mine")
        release = database.scalar(
            f"SELECT release FROM allocations WHERE address = '{held.address}'"
        )
        client.release(held.attachment)
    return str(release)


@pytest.mark.xdist_group("load")
@pytest.mark.timeout(600)
def test_an_upgrade_fails_no_call(
    database: postgres.Database,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MOORAGE_DRAIN_SECONDS", "1")
    following = next_release(tmp_path)
    with rolling.cluster(database, tmp_path) as cluster:
        first, *others = cluster.replicas
        with cluster.at_work():
            cluster.wait_for_calls()
            # A server before its schema: it lets nobody in, and the others do its work.
            first.stop()
            first.start(following)
            cluster.wait_for_calls()
            # The schema before the other servers; the one that has waited for it goes on by itself.
            migrate(following, database)
            first.wait_ready()
            cluster.wait_for_calls()
            # Both releases on the new schema, then the next alone, then back again.
            for source, release in ((following, "next"), (None, "first")):
                for each in others:
                    each.restart(source)
                    cluster.wait_for_calls()
                    assert writer(each, database) == release
                assert writer(first, database) == "next"
            first.restart()
            cluster.wait_for_calls()
        with capsys.disabled():
            print(f"\nan upgrade and back: {cluster}", flush=True)
        cluster.judge()
