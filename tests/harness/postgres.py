"""Databases for tests: one cluster for a run, one database for a test.

The schema is migrated once into a template; every test gets a copy of its own.
"""

import contextlib
import itertools
import os
import pathlib
import signal
import tempfile
from collections.abc import Iterator

import sqlalchemy as sa

from moorage_server.embedded import cluster
from moorage_server.storage import schema

_TEMPLATE = f"moorage_template_{os.getpid()}"


class Postgres:
    """A cluster, seen as its superuser, with the two roles of the product."""

    def __init__(self, admin_url: str, *, strategy: str = "wal_log") -> None:
        """Takes the URL of a superuser on any database, and how copies of one are made."""
        self._strategy = strategy
        self.admin_url = sa.make_url(admin_url)
        self._numbers = itertools.count()
        self._admin = sa.create_engine(
            self.admin_url, isolation_level="AUTOCOMMIT", pool_pre_ping=True
        )

    def execute(self, statement: str) -> None:
        """Runs a statement as the superuser, outside of a transaction."""
        with self._admin.connect() as connection:
            connection.execute(sa.text(statement))

    def prepare(self) -> None:
        """Makes the roles and the migrated template."""
        for role in (cluster.OWNER_ROLE, cluster.SERVICE_ROLE):
            self.execute(
                f"DO $$ BEGIN CREATE ROLE {role} LOGIN PASSWORD '{role}';"
                " EXCEPTION WHEN duplicate_object THEN NULL; END $$"
            )
        self.execute(f"DROP DATABASE IF EXISTS {_TEMPLATE}")
        self.execute(f"CREATE DATABASE {_TEMPLATE} OWNER {cluster.OWNER_ROLE}")
        schema.migrate(self.url(cluster.OWNER_ROLE, _TEMPLATE))

    def discard(self) -> None:
        """Drops the template."""
        self.execute(f"DROP DATABASE IF EXISTS {_TEMPLATE} WITH (FORCE)")
        self._admin.dispose()

    @contextlib.contextmanager
    def database(self, *, template: str = _TEMPLATE) -> Iterator["Database"]:
        """A database of the product's schema, dropped afterwards."""
        name = f"moorage_test_{os.getpid()}_{next(self._numbers)}"
        self.execute(
            f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY {self._strategy}"
            f" OWNER {cluster.OWNER_ROLE}"
        )
        made = Database(self, name)
        try:
            yield made
        finally:
            made.close()
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

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
        # One connection for a test's looks: making a new one for each costs more than they do.
        self._looks = sa.create_engine(
            self.admin_url, pool_size=1, max_overflow=-1, pool_pre_ping=True
        )

    def close(self) -> None:
        """Ends the connections that are kept."""
        self._looks.dispose()

    @property
    def service_url(self) -> str:
        """For the server."""
        return self.postgres.url(cluster.SERVICE_ROLE, self.name)

    @property
    def owner_url(self) -> str:
        """For migrations."""
        return self.postgres.url(cluster.OWNER_ROLE, self.name)

    @property
    def admin_url(self) -> str:
        """For tests that look at, or break, what no role of the product may."""
        return self.postgres.url(None, self.name)

    @contextlib.contextmanager
    def connect(self, url: str | None = None) -> Iterator[sa.Connection]:
        """A connection, as the superuser unless told otherwise."""
        engine = sa.create_engine(url or self.admin_url, poolclass=sa.NullPool)
        with engine.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """PostgreSQL stands still: what is connected gets no answer, and nobody else in."""
        backends = self.rows(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
            " AND usename = :role",
            role=cluster.SERVICE_ROLE,
        )
        pids = [int(str(pid)) for (pid,) in backends]
        status = pathlib.Path(f"/proc/{pids[0]}/stat").read_text()
        postmaster = int(status.rpartition(")")[2].split()[1])
        for pid in (postmaster, *pids):
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in (postmaster, *pids):
                os.kill(pid, signal.SIGCONT)

    def rows(self, query: str, **parameters: object) -> list[tuple[object, ...]]:
        """The rows of a query."""
        with self._looks.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(query), parameters)]

    def scalar(self, query: str, **parameters: object) -> object:
        """The one value of a query."""
        with self._looks.connect() as connection:
            return connection.scalar(sa.text(query), parameters)

    def execute(self, statement: str, **parameters: object) -> None:
        """Runs a statement and commits it."""
        with self._looks.connect() as connection:
            connection.execute(sa.text(statement), parameters)
            connection.commit()


@contextlib.contextmanager
def running() -> Iterator[Postgres]:
    """The cluster DATABASE_URL names, as its superuser, or a throw-away one in memory."""
    given = os.environ.get("DATABASE_URL")
    with contextlib.ExitStack() as until:
        if given:
            postgres = Postgres(given)
        else:
            memory = "/dev/shm" if pathlib.Path("/dev/shm").is_dir() else None
            state = until.enter_context(tempfile.TemporaryDirectory(dir=memory))
            own = until.enter_context(cluster.Cluster(pathlib.Path(state), durable=False))
            url = own.url(role=cluster.BOOTSTRAP_ROLE, database="postgres")
            # Copying files is the fast way where nothing is flushed to a disk.
            postgres = Postgres(url, strategy="file_copy")
        postgres.prepare()
        until.callback(postgres.discard)
        yield postgres
