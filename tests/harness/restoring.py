"""Backups of a test's database, and their restoring under whoever is connected to it."""

import contextlib
import itertools
from collections.abc import Iterator

import psycopg
import sqlalchemy as sa

from harness.postgres import Database

_NUMBERS = itertools.count()


class Backup:
    """A copy of a database as it was, to be put in its place."""

    def __init__(self, of: Database) -> None:
        """Copies a database; whoever works on it loses its connection, and may come again."""
        self._of = of
        self._name = f"{of.name}_backup_{next(_NUMBERS)}"
        self._is_kept = True
        of.altered = True
        with _closed(of):
            self._copy()

    def number(self, query: str) -> int:
        """What a query counts in it."""
        copy = Database(self._of.postgres, self._name)
        try:
            return int(str(copy.scalar(query)))
        finally:
            copy.close()

    def restore(self) -> None:
        """Puts it in the place of the database, as whoever restores a backup does."""
        with _closed(self._of):
            self._of.postgres.execute(f"DROP DATABASE {self._of.name} WITH (FORCE)")
            self._of.postgres.execute(f"ALTER DATABASE {self._name} RENAME TO {self._of.name}")
        self._is_kept = False

    def discard(self) -> None:
        """Removes it, if it was not restored."""
        if self._is_kept:
            self._of.postgres.execute(f"DROP DATABASE {self._name} WITH (FORCE)")

    def _copy(self) -> None:
        while True:
            try:
                self._of.postgres.execute(f"CREATE DATABASE {self._name} TEMPLATE {self._of.name}")
                return
            except sa.exc.OperationalError as error:
                if not isinstance(error.orig, psycopg.errors.ObjectInUse):
                    raise
                # Somebody was let in just before the door was closed, and seen only now.
                _end_connections(self._of)


@contextlib.contextmanager
def backup(of: Database) -> Iterator[Backup]:
    """A backup that is gone afterwards."""
    made = Backup(of)
    try:
        yield made
    finally:
        made.discard()


@contextlib.contextmanager
def _closed(database: Database) -> Iterator[None]:
    """Nobody is connected, and nobody gets in."""
    name, postgres = database.name, database.postgres
    database.close()
    postgres.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    _end_connections(database)
    yield
    postgres.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


def _end_connections(database: Database) -> None:
    database.postgres.execute(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
        f" WHERE datname = '{database.name}' AND pid <> pg_backend_pid()"
    )
