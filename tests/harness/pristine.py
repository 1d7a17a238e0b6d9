"""What a new database of the product has in it, to be put back into one that a test has used.

It costs a fraction of making another. Rows are put back; nothing else may have been changed.
"""

import sqlalchemy as sa

from moorage_server.storage import tables

_TABLES = tables.metadata.tables

# Whoever is still connected, as a server's last connections may be, is gone afterwards.
_ALONE = """
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()"""
# Of deleted rows the space is left, which plans are made by.
_LARGEST = 1 << 20
# Tables, partitions, indexes and the like, of which none may have come or gone, nor have been given
# statistics; which schema it is, and what was set for the database; how large it is; and what has
# rows.
_FILLED = " UNION ALL ".join(
    f"SELECT '{name}' WHERE EXISTS (SELECT FROM {name})" for name in _TABLES
)
_STATE = f"""
SELECT count(*) || ' ' || sum(oid::bigint) || ' ' || sum(reltuples) || ' '
    || (SELECT version_num FROM alembic_version) || ' ' || (SELECT coalesce(string_agg(
        setrole || array_to_string(setconfig, ' '), ' ' ORDER BY setrole), '')
        FROM pg_db_role_setting WHERE setdatabase = (SELECT oid FROM pg_database
            WHERE datname = current_database())) AS nature,
    sum(pg_relation_size(oid)) AS size, ARRAY({_FILLED}) AS filled
FROM pg_class WHERE oid >= 16384 AND relkind IN ('r', 'i', 'S', 'p', 'v')"""
_NUMBERS = "SELECT schemaname || '.' || sequencename, start_value, last_value FROM pg_sequences"


class Pristine:
    """A database that nobody has used."""

    def __init__(self, connection: sa.Connection) -> None:
        """Looks at one."""
        self._nature, size, filled = connection.exec_driver_sql(_STATE).one()
        self._largest = size + _LARGEST
        restarted = ", ".join(
            f"setval('{name}', {last or first}, {last is not None})"
            for name, first, last in connection.exec_driver_sql(_NUMBERS)
        )
        self._refilling = [_filling(connection, name) for name in filled]
        self._refilling.append(f"SELECT {restarted}")

    def restore(self, connection: sa.Connection) -> bool:
        """Puts all back as it was; False where it is not rows alone that were changed."""
        connection.exec_driver_sql(_ALONE)
        nature, size, filled = connection.exec_driver_sql(_STATE).one()
        if nature != self._nature or size > self._largest:
            return False
        emptying = [f"DELETE FROM {name}" for name in filled]
        # It passes over foreign keys and triggers: rows may go in any order, history's as well.
        script = ["SET LOCAL session_replication_role = replica", *emptying, *self._refilling]
        connection.exec_driver_sql("; ".join(script))
        connection.commit()
        return True


def _filling(connection: sa.Connection, name: str) -> str:
    columns = ", ".join(each.name for each in _TABLES[name].columns if each.computed is None)
    rows = connection.scalar(sa.text(f"SELECT quote_literal(json_agg(row)) FROM {name} AS row"))
    return (
        f"INSERT INTO {name} ({columns}) OVERRIDING SYSTEM VALUE"
        f" SELECT {columns} FROM json_populate_recordset(NULL::{name}, {rows})"
    )
