"""A database on a disk, whose PostgreSQL is the test's own, to be set up as it likes."""

import contextlib
import pathlib
from collections.abc import Iterator

from harness import eventually, postgres
from moorage_server.embedded import cluster
from moorage_server.storage import schema


@contextlib.contextmanager
def database(state: pathlib.Path) -> Iterator[postgres.Database]:
    """The one of a PostgreSQL that runs in this folder meanwhile."""
    with contextlib.ExitStack() as until:
        own = until.enter_context(cluster.Cluster(state))
        schema.migrate(own.url(role=cluster.OWNER_ROLE))
        admin = postgres.Postgres(own.url(role=cluster.BOOTSTRAP_ROLE))
        until.callback(admin.close)
        opened = postgres.Database(admin, cluster.DATABASE)
        until.callback(opened.close)
        yield opened


def alter(database: postgres.Database, statement: str) -> None:
    """Runs a statement that wants no transaction around it."""
    with database.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql(statement)


@contextlib.contextmanager
def left_by_all(database: postgres.Database) -> Iterator[None]:
    """Every COMMIT waits for one who is not there, as on a leader of before."""
    _name_standbys(database, "nobody")
    try:
        yield
    finally:
        _name_standbys(database, "")


def _name_standbys(database: postgres.Database, names: str) -> None:
    alter(database, f"ALTER SYSTEM SET synchronous_standby_names = '{names}'")
    alter(database, "SELECT pg_reload_conf()")
    eventually.until(lambda: database.scalar("SHOW synchronous_standby_names") == names)
