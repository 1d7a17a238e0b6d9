"""Databases for tests: one cluster for a run, one database for a test.

The schema is migrated once into a template; every test gets a copy of its own. A copy of which no
more than the rows was changed goes to another test afterwards, with the rows as they were.
"""

import contextlib
import itertools
import os
import pathlib
import signal
import tempfile
from collections.abc import Iterator

import sqlalchemy as sa

from harness.pristine import Pristine
from moorage_server.embedded import binaries, cluster
from moorage_server.storage import schema

_TEMPLATE = f"moorage_template_{os.getpid()}"
_OF_ROWS = ("SELECT", "INSERT", "UPDATE", "DELETE")


class Postgres:
    """A cluster, seen as its superuser, with the roles of the product."""

    def __init__(self, admin_url: str, *, strategy: str = "wal_log") -> None:
        """Takes the URL of a superuser on any database, and how copies of one are made."""
        self._strategy = strategy
        self.admin_url = sa.make_url(admin_url)
        self._numbers = itertools.count()
        self._spare: list[Database] = []
        self._pristine: Pristine | None = None
        self._admin = sa.create_engine(
            self.admin_url, isolation_level="AUTOCOMMIT", pool_pre_ping=True
        )

    def execute(self, statement: str) -> None:
        """Runs a statement as the superuser, outside of a transaction."""
        with self._admin.connect() as connection:
            connection.execute(sa.text(statement))

    def prepare(self) -> None:
        """Makes the roles and the migrated template."""
        for role in (cluster.OWNER_ROLE, cluster.SERVICE_ROLE, cluster.READER_ROLE):
            self.execute(
                f"DO $$ BEGIN CREATE ROLE {role} LOGIN PASSWORD '{role}';"
                " EXCEPTION WHEN duplicate_object THEN NULL; END $$"
            )
        self.execute(f"DROP DATABASE IF EXISTS {_TEMPLATE}")
        self.execute(f"CREATE DATABASE {_TEMPLATE} OWNER {cluster.OWNER_ROLE}")
        schema.migrate(self.url(cluster.OWNER_ROLE, _TEMPLATE))
        with contextlib.closing(self._copy(_TEMPLATE)) as copy, copy.looking() as connection:
            self._pristine = Pristine(connection)
        self._drop(copy)

    def discard(self) -> None:
        """Drops the template, and the copies that are left."""
        for each in self._spare:
            self._drop(each)
        self.execute(f"DROP DATABASE IF EXISTS {_TEMPLATE} WITH (FORCE)")
        self.close()

    def close(self) -> None:
        """Ends the connections that are kept."""
        self._admin.dispose()

    @contextlib.contextmanager
    def database(self, *, template: str = _TEMPLATE, fresh: bool = False) -> Iterator["Database"]:
        """A database of the product's schema, of which nothing is left afterwards.

        One that others have had is as it was before, but for what PostgreSQL has counted of it;
        a `fresh` one nobody has had.
        """
        may_be_spare = template == _TEMPLATE and not fresh
        made = self._spare.pop() if self._spare and may_be_spare else self._copy(template)
        if template == _TEMPLATE:
            # A history of its own: what somebody has seen of another test's says nothing of it.
            made.execute("UPDATE vrfs SET epoch = gen_random_uuid()")
        try:
            yield made
        finally:
            if template == _TEMPLATE and self._is_restored(made):
                self._spare.append(made)
            else:
                self._drop(made)

    def _copy(self, template: str) -> "Database":
        name = f"moorage_test_{os.getpid()}_{next(self._numbers)}"
        self.execute(
            f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY {self._strategy}"
            f" OWNER {cluster.OWNER_ROLE}"
        )
        return Database(self, name)

    def _is_restored(self, used: "Database") -> bool:
        if used.altered:
            return False
        with used.looking() as connection:
            return self._pristine is not None and self._pristine.restore(connection)

    def _drop(self, used: "Database") -> None:
        used.close()
        self.execute(f"DROP DATABASE {used.name} WITH (FORCE)")

    def url(self, role: str | None, database: str) -> str:
        """The URL of a database for a role; None: the superuser."""
        url = self.admin_url.set(database=database)
        if role is not None:
            url = url.set(username=role, password=role)
        return url.render_as_string(hide_password=False)


class Database:
    """One test's database."""

    def __init__(self, postgres: Postgres, name: str) -> None:
        """Belongs to a cluster."""
        self.postgres = postgres
        self.name = name
        # Whether more than rows may have been changed: somebody had the right to.
        self.altered = False
        # One connection for a test's looks: making a new one for each costs more than they do.
        self._looks = sa.create_engine(
            postgres.url(None, name), pool_size=1, max_overflow=-1, pool_pre_ping=True
        )

    def close(self) -> None:
        """Ends the connections that are kept."""
        self._looks.dispose()

    @property
    def service_url(self) -> str:
        """For the server."""
        return self.postgres.url(cluster.SERVICE_ROLE, self.name)

    @property
    def reader_url(self) -> str:
        """For reports."""
        return self.postgres.url(cluster.READER_ROLE, self.name)

    @property
    def owner_url(self) -> str:
        """For migrations."""
        self.altered = True
        return self.postgres.url(cluster.OWNER_ROLE, self.name)

    @property
    def admin_url(self) -> str:
        """For tests that look at, or break, what no role of the product may."""
        self.altered = True
        return self.postgres.url(None, self.name)

    @contextlib.contextmanager
    def connect(self, url: str | None = None) -> Iterator[sa.Connection]:
        """A connection, as the superuser unless told otherwise."""
        engine = sa.create_engine(url or self.admin_url, poolclass=sa.NullPool)
        with engine.connect() as connection:
            yield connection

    def set(self, setting: str, value: str) -> None:
        """Has every connection made from now on begin with a setting."""
        self.altered = True
        self.postgres.execute(f"ALTER DATABASE {self.name} SET {setting} = {value}")

    def looking(self) -> contextlib.AbstractContextManager[sa.Connection]:
        """The connection of a test's looks, as the superuser."""
        return self._looks.connect()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """PostgreSQL stands still: what is connected gets no answer, and nobody else in."""
        backends = self.rows(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
            " AND usename = :role",
            role=cluster.SERVICE_ROLE,
        )
        pids = [int(str(pid)) for (pid,) in backends]
        postmaster = int(str(self.scalar("SELECT pg_read_file('postmaster.pid')")).split()[0])
        try:
            _send(signal.SIGSTOP, postmaster, *pids)
            yield
        finally:
            _send(signal.SIGCONT, postmaster, *pids)

    def rows(self, query: str, **parameters: object) -> list[tuple[object, ...]]:
        """The rows of a query."""
        with self.looking() as connection:
            return [tuple(row) for row in connection.execute(sa.text(query), parameters)]

    def scalar(self, query: str, **parameters: object) -> object:
        """The one value of a query."""
        with self.looking() as connection:
            return connection.scalar(sa.text(query), parameters)

    def execute(self, statement: str, **parameters: object) -> None:
        """Runs a statement and commits it."""
        self.altered |= not statement.lstrip().upper().startswith(_OF_ROWS)
        with self.looking() as connection:
            connection.execute(sa.text(statement), parameters)
            connection.commit()


def _send(what: signal.Signals, *pids: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # whoever was connected has left
            os.kill(pid, what)


@contextlib.contextmanager
def running() -> Iterator[Postgres]:
    """The cluster DATABASE_URL names, as its superuser, or a throw-away one in memory."""
    given = os.environ.get("DATABASE_URL")
    with _prepared(Postgres(given)) if given else of(None) as postgres:
        yield postgres


@contextlib.contextmanager
def of(installation: binaries.Installation | None) -> Iterator[Postgres]:
    """A throw-away cluster in memory, of these programs or of those that come with the server."""
    memory = "/dev/shm" if pathlib.Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as state:
        place = pathlib.Path(state)
        with cluster.Cluster(place, durable=False, installation=installation) as own:
            url = own.url(role=cluster.BOOTSTRAP_ROLE, database="postgres")
            # Copying files is the fast way where nothing is flushed to a disk.
            with _prepared(Postgres(url, strategy="file_copy")) as postgres:
                yield postgres


@contextlib.contextmanager
def _prepared(postgres: Postgres) -> Iterator[Postgres]:
    postgres.prepare()
    try:
        yield postgres
    finally:
        postgres.discard()
