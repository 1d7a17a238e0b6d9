"""What a database says of itself: versions, rights, settings, age."""

import time

import sqlalchemy as sa

from moorage_server.domain import diagnosis
from moorage_server.storage import durability, schema
from moorage_server.storage.database import Transaction

_FACTS = sa.text("""
SELECT current_setting('server_version') AS version,
    current_setting('server_version_num')::int AS version_number,
    current_setting('server_encoding') AS encoding,
    current_setting('transaction_read_only') = 'on' AS read_only,
    current_user::text AS role,
    rolsuper AS is_superuser,
    has_schema_privilege(coalesce(
        (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('events')),
        current_schema()::regnamespace), 'CREATE') AS may_create,
    EXISTS (SELECT FROM unnest(ARRAY['events', 'revisions']) AS journal
        WHERE has_table_privilege(to_regclass(journal), 'UPDATE, DELETE, TRUNCATE'))
        AS may_change_history,
    current_setting('fsync') = 'on' AS fsync,
    current_setting('full_page_writes') = 'on' AS full_page_writes,
    current_setting('data_checksums') = 'on' AS checksums,
    current_setting('autovacuum') = 'on' AS autovacuum,
    current_setting('synchronous_commit') AS synchronous_commit,
    least(
        current_setting('max_connections')::int
            - current_setting('superuser_reserved_connections')::int
            - coalesce(current_setting('reserved_connections', true)::int, 0),
        -- -1 is for no limit.
        nullif(rolconnlimit, -1),
        (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database())
    ) AS connections,
    coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS encrypted,
    coalesce(inet_server_addr() <<= '127.0.0.0/8' OR inet_server_addr() = '::1', true) AS local,
    extract(epoch FROM clock_timestamp())::float AS now,
    (SELECT age(datfrozenxid) FROM pg_database WHERE datname = current_database()) AS oldest_row,
    CASE WHEN pg_is_in_recovery() THEN 0 ELSE coalesce((
        SELECT max(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)) FROM pg_replication_slots
    ), 0)::bigint END AS kept_wal
FROM pg_roles WHERE rolname = current_user
""")


def facts(transaction: Transaction, *, needed: int) -> diagnosis.Facts:
    """All of it, for a server that may have so many connections."""
    asked = time.time()
    row = dict(transaction.execute(_FACTS).mappings().one())
    answered = time.time()
    now = row.pop("now")
    return diagnosis.Facts(
        **row,
        misfit=_misfit(transaction),
        durability=durability.in_force(transaction).value,
        needed=needed,
        # The database read its clock somewhere between.
        seconds_ahead=(asked + answered) / 2 - now,
    )


def _misfit(transaction: Transaction) -> str:
    try:
        schema.require_current(transaction)
    except schema.Misfit as misfit:
        return str(misfit)
    return ""
