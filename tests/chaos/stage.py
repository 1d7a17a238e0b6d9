"""What everything happens on: a PostgreSQL of its own, servers, and the ways between them."""

import contextlib
import os
import pathlib
import signal
from collections.abc import Iterator

import sqlalchemy as sa

import moorage
from chaos import disk, wants
from chaos.links import Link
from chaos.wire import Wire
from harness import ports, postgres, serving
from moorage_server.embedded import cluster
from moorage_server.storage import schema

STARTING = 120.0  # seconds that a server may take to begin, on a machine with much else to do


class Server:
    """The installed program on a port of its own, between a way to it and its way to PostgreSQL."""

    def __init__(
        self, database: postgres.Database, log: pathlib.Path, source: pathlib.Path | None
    ) -> None:
        """Is not running."""
        self._port = ports.free()
        self._database, self._log, self._source = database, log, source
        url = sa.make_url(database.service_url)
        folder, port = url.query["host"], url.query["port"]
        self.wire = Wire(f"{folder}/.s.PGSQL.{port}")
        self.front = Link(self._port)
        host, _, wire_port = self.wire.target.rpartition(":")
        query = {"host": host, "port": wire_port, "sslmode": "disable", "gssencmode": "disable"}
        self._url = url.set(query=query).render_as_string(hide_password=False)
        self.process: serving.Process | None = None

    @property
    def pid(self) -> int:
        """Of the process that runs."""
        assert self.process is not None
        return self.process.process.pid

    def start(self, *, ready: bool = True) -> None:
        """Runs it; with `ready`, returns when it serves."""
        self.process = serving.Process(
            self._database, self._port, self._log, url=self._url, source=self._source
        )
        if ready:
            self.wait_ready()

    def wait_ready(self) -> None:
        """Returns when it serves."""
        assert self.process is not None
        self.process.wait_ready(STARTING)

    def kill(self) -> None:
        """Ends it as a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process.close()
            self.process = None

    def stop(self) -> None:
        """Ends it as an operator would."""
        if self.process is not None:
            self.process.close()
            self.process = None

    def move(self) -> None:
        """Dies, and whoever comes by the same name finds another at another place."""
        self.kill()
        self._port = ports.free()
        self.front.lead_to(self._port)
        self.start()

    def mend(self) -> None:
        """Runs again, whatever was done to it, and its ways are good ones."""
        self.wire.mend()
        self.front.mend()
        if self.process is not None and self.process.process.poll() is not None:
            self.process.close()
            self.process = None
        if self.process is None:
            self.start()
        os.kill(self.pid, signal.SIGCONT)

    def close(self) -> None:
        """Ends everything."""
        self.wire.mend()
        if self.process is not None and self.process.process.poll() is None:
            os.kill(self.pid, signal.SIGCONT)
        self.kill()
        self.wire.close()
        self.front.close()


class Stage:
    """PostgreSQL, which can be killed, and servers on it."""

    def __init__(
        self,
        state: pathlib.Path,
        *,
        servers: int = 2,
        source: pathlib.Path | None = None,
        own_disk: bool = False,
    ) -> None:
        """Starts all but one of the servers: that comes and goes. `source`: see serving.Process."""
        with contextlib.ExitStack() as until:
            place = state / "disk"
            self.disk = until.enter_context(disk.mounted(place)) if own_disk else None
            self.cluster = until.enter_context(cluster.Cluster(place / "database"))
            schema.migrate(self.cluster.url(role=cluster.OWNER_ROLE))
            admin = postgres.Postgres(self.cluster.url(role=cluster.BOOTSTRAP_ROLE))
            until.callback(admin.close)
            self.database = postgres.Database(admin, cluster.DATABASE)
            until.callback(self.database.close)
            self.servers = []
            for at in range(servers + 1):
                server = Server(self.database, state / f"server-{at}.log", source)
                until.callback(server.close)
                self.servers.append(server)
            for each in self.steady:
                each.start(ready=False)
            for each in self.steady:
                each.wait_ready()
            with self.administration() as client:
                wants.set_up(client)
            self.close = until.pop_all().close

    @property
    def steady(self) -> list[Server]:
        """The servers that are there unless something is done to them."""
        return self.servers[:-1]

    @property
    def targets(self) -> list[str]:
        """Where clients connect."""
        return [each.front.target for each in self.servers]

    @contextlib.contextmanager
    def administration(self) -> Iterator[moorage.Client]:
        """A client that goes straight to a server."""
        process = self.servers[0].process
        assert process is not None
        with moorage.Client(process.target, timeout=60) as client:
            yield client

    def crash(self, how: signal.Signals) -> None:
        """Has PostgreSQL end by a signal to its first process, SIGKILL to all, and starts it."""
        if how is signal.SIGKILL:
            os.killpg(os.getpgid(self.cluster.pid), how)
        else:
            os.kill(self.cluster.pid, how)
        self.restart()

    def restart(self) -> None:
        """Has PostgreSQL begin anew, whether it still runs or not."""
        self.cluster.stop()
        self.cluster.start()

    def mend(self) -> None:
        """Everything that should be there is, and is as it should be."""
        for each in self.steady:
            each.mend()
