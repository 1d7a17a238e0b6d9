"""How migrations run: one at a time, each in a transaction, never waiting long for a lock."""

import sqlalchemy as sa
from alembic import context

from moorage_server.storage import tables

# Registered here alone: the lock that keeps two migrators apart.
MIGRATION_LOCK = 7711
LOCK_TIMEOUT = "2s"
STATEMENT_TIMEOUT = "60s"


def run() -> None:
    """Runs the migrations on the connection that the caller hands over.

    Without one, as the alembic command: on the URL of `alembic -x url=…`.
    """
    connection = context.config.attributes.get("connection")
    if connection is not None:
        migrate(connection)
        return
    url = context.get_x_argument(as_dictionary=True)["url"]
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as own:
        migrate(own)


def migrate(connection: sa.Connection) -> None:
    """Applies what is asked for, under a lock that ends with the transaction."""
    context.configure(
        connection=connection,
        target_metadata=tables.metadata,
        transaction_per_migration=False,
        include_name=_is_described,
    )
    with context.begin_transaction():
        connection.execute(sa.text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
        connection.execute(sa.text(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'"))
        connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
        context.run_migrations()
    connection.commit()


def _is_described(name: str | None, kind: str, _: object) -> bool:
    """Leaves out the partitions of the history, which come and go with time."""
    return kind != "table" or not (name or "").startswith("events_")


run()
