"""The schema's version: bringing a database up to it, and telling whether it is.

The statements themselves are in `migrations/`.
"""

import functools
import itertools
import pathlib
import time
from typing import Final

import alembic.command
import alembic.config
import alembic.script
import alembic.util
import psycopg.errors
import sqlalchemy as sa
import structlog

from moorage_server.storage import durability, hosts, tables

# A lock that is not to be had at once (`migrations/env.py`) is asked for again, so often, after so
# many seconds: whoever waits for one keeps everybody waiting who comes after.
TRIES: Final = 60
PAUSE: Final = 1.0
_IN_THE_WAY: Final = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)

_log = structlog.get_logger()


class SchemaError(Exception):
    """The database cannot be migrated or served as it is; the message says what to do."""


class Misfit(SchemaError):
    """The schema is another server's."""


def migrations_path() -> pathlib.Path:
    """The folder bundled in the wheel if there is one, else the checkout's."""
    package = pathlib.Path(__file__).resolve().parent.parent
    bundled = package / "migrations"
    return bundled if bundled.is_dir() else package.parent.parent / "migrations"


@functools.cache
def head() -> str:
    """The newest revision this server knows."""
    revision = alembic.script.ScriptDirectory(str(migrations_path())).get_current_head()
    if revision is None:
        raise SchemaError(f"no migrations in {migrations_path()}; reinstall moorage-server")
    return revision


def migrate(owner_url: str, revision: str = "head") -> None:
    """Brings the schema to a revision, as the role that owns it; raises SchemaError."""
    try:
        engine = sa.create_engine(hosts.readable(owner_url), poolclass=sa.NullPool)
        with engine.connect() as connection:
            _require_service_role(connection)
            _insist(connection, revision)
            _let_read(connection)
    except sa.exc.OperationalError as error:
        raise SchemaError(
            f"cannot reach the database, or not as its owner: {error.orig}"
        ) from error
    except alembic.util.CommandError as error:
        raise SchemaError(f'cannot go to revision "{revision}": {error}') from error


def _insist(connection: sa.Connection, revision: str) -> None:
    for attempt in itertools.count(1):
        try:
            _migrate(connection, revision)
        except sa.exc.OperationalError as error:
            if not isinstance(error.orig, _IN_THE_WAY):
                raise
            if attempt == TRIES:
                raise SchemaError(
                    f"others held what the migration needs, {TRIES} times: {error.orig}; nothing"
                    " was changed; see pg_stat_activity and pg_locks for who, and run it again"
                ) from error
            connection.rollback()
            _log.info("others hold what the migration needs; trying again", attempt=attempt)
        else:
            return
        time.sleep(PAUSE)


def _migrate(connection: sa.Connection, revision: str) -> None:
    config = alembic.config.Config()
    config.set_main_option("script_location", str(migrations_path()))
    config.attributes["connection"] = connection
    if revision == "base":
        alembic.command.downgrade(config, revision)
    else:
        alembic.command.upgrade(config, revision)


def _require_service_role(connection: sa.Connection) -> None:
    found = sa.text("SELECT count(*) FROM pg_roles WHERE rolname = :role")
    if not connection.scalar(found, {"role": tables.SERVICE_ROLE}):
        raise SchemaError(
            f"the role {tables.SERVICE_ROLE}, which the server connects as, does not exist; "
            f"create it first: CREATE ROLE {tables.SERVICE_ROLE} LOGIN PASSWORD '...'"
        )
    connection.rollback()


def _let_read(connection: sa.Connection) -> None:
    """Lets the role for reports see everything, where it was made; it can change nothing."""
    found = sa.text("SELECT count(*) FROM pg_roles WHERE rolname = :role")
    if connection.scalar(found, {"role": tables.READER_ROLE}):
        grant = f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {tables.READER_ROLE}"
        connection.execute(sa.text(grant))
    connection.commit()


def require_writable(connection: sa.Connection) -> None:
    """Raises SchemaError unless this transaction can write; its commit is then a real one."""
    asked = "SELECT current_setting('transaction_read_only')"
    if connection.scalar(sa.text(asked)) == "on":
        raise SchemaError("the database takes no writes; connect to the primary")
    durability.write(connection)


def require_current(connection: sa.Connection) -> None:
    """Raises Misfit unless this server can serve from the database's schema.

    It can from its own, and from newer ones until one takes away what it needs, which the
    floor tells. Revisions are numbers of equal length.
    """
    known = connection.scalar(sa.text("SELECT to_regclass('alembic_version') IS NOT NULL"))
    found = connection.scalar(sa.text("SELECT version_num FROM alembic_version")) if known else None
    if found is None or found < head():
        raise Misfit(
            f"the database is at schema {found or 'none'}, this server needs {head()}; "
            "run: moorage-server migrate --database-url URL-OF-THE-OWNER"
        )
    floor = connection.scalar(sa.text("SELECT revision FROM schema_floor"))
    if floor is None or floor > head():
        raise Misfit(
            f"the database is at schema {found}, which serves servers of {floor} and later; "
            f"this one is of {head()}: install a newer release"
        )
