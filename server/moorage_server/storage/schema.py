"""The schema's version: bringing a database up to it, and telling whether it is.

The statements themselves are in `migrations/`.
"""

import functools
import pathlib

import alembic.command
import alembic.config
import alembic.script
import alembic.util
import sqlalchemy as sa

from moorage_server.storage import tables


class SchemaError(Exception):
    """The database cannot be migrated or served as it is; the message says what to do."""


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
        engine = sa.create_engine(owner_url, poolclass=sa.NullPool)
        with engine.connect() as connection:
            _require_service_role(connection)
            _migrate(connection, revision)
    except sa.exc.OperationalError as error:
        raise SchemaError(
            f"cannot reach the database, or not as its owner: {error.orig}"
        ) from error
    except alembic.util.CommandError as error:
        raise SchemaError(f'cannot go to revision "{revision}": {error}') from error


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


def require_writable(connection: sa.Connection) -> None:
    """Raises SchemaError unless this transaction can write; its commit is then a real one.

    Drawing a transaction id makes the commit wait for the disk, and for the standby
    where one is synchronous; on a standby it fails.
    """
    probe = "SELECT current_setting('transaction_read_only') FROM pg_current_xact_id()"
    if connection.scalar(sa.text(probe)) == "on":
        raise SchemaError("the database takes no writes; connect to the primary")


def require_current(connection: sa.Connection) -> None:
    """Raises SchemaError unless the database is at this server's revision or a newer one.

    A newer one is the next release's, which keeps this server working until it is
    replaced: migrations only ever add first. Revisions are numbers of equal length.
    """
    known = connection.scalar(sa.text("SELECT to_regclass('alembic_version') IS NOT NULL"))
    found = connection.scalar(sa.text("SELECT version_num FROM alembic_version")) if known else None
    if found is None or found < head():
        raise SchemaError(
            f"the database is at schema {found or 'none'}, this server needs {head()}; "
            "run: moorage-server migrate --database-url URL-OF-THE-OWNER"
        )
