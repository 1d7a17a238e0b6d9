"""What failovers happen to: three PostgreSQLs, and two servers that know the way to each."""

import contextlib
import json
import pathlib

import sqlalchemy as sa

import moorage
from chaos import wants
from failover.trio import Trio
from harness import calls, ports, postgres, serving
from moorage_server.embedded import cluster
from moorage_server.storage import schema

SERVERS = 2
STARTING = 120.0  # seconds that a server may take to begin, on a machine with much else to do


class Ground:
    """Everything that runs, and pools to assign from."""

    def __init__(
        self, folder: pathlib.Path, *, strict: bool, source: pathlib.Path | None = None
    ) -> None:
        """Starts it, with servers of these modules if they are given."""
        with contextlib.ExitStack() as until:
            self.trio = Trio(folder, strict=strict)
            until.callback(self.trio.close)
            admin = postgres.Postgres(self._url(cluster.BOOTSTRAP_ROLE, self.trio.password))
            until.callback(admin.close)
            self.database = postgres.Database(admin, cluster.DATABASE)
            until.callback(self.database.close)
            schema.migrate(self.database.owner_url)
            if not strict:
                self.database.set("moorage.strict", "off")
            self.servers, self.logs = [], [folder / f"server-{at}.log" for at in range(SERVERS)]
            for log in self.logs:
                server = serving.Process(self.database, ports.free(), log, source=source)
                until.callback(server.close)
                self.servers.append(server)
            for each in self.servers:
                each.wait_ready(STARTING)
            with moorage.Client(self.servers[0].target, timeout=60) as client:
                wants.set_up(client)
            self.close = until.pop_all().close

    @property
    def targets(self) -> list[str]:
        """Where the servers are."""
        return [each.target for each in self.servers]

    def durability(self) -> set[str]:
        """What servers have said that an acknowledged change outlives."""
        lines = [line for log in self.logs for line in log.read_text().splitlines()]
        return {json.loads(line)["mode"] for line in lines if "durability in force" in line}

    def quarantined(self) -> set[str]:
        """Why nothing new is assigned, if so."""
        self.database.close()  # what was connected to another leader is of no use
        shut = self.database.rows("SELECT cause FROM quarantines WHERE end_time IS NULL")
        return {str(cause) for (cause,) in shut}

    def tell(self) -> None:
        """Has something happen that whoever watches is told of."""
        with moorage.Client(self.servers[0].target, timeout=60) as client:
            client.assign(calls.attachment("last"), [calls.want(pools=("wide",))])

    def _url(self, role: str, password: str) -> str:
        """Of whoever leads: the first of the three that takes writes."""
        hosts = tuple(each.front.target for each in self.trio.members)
        return sa.URL.create(
            "postgresql+psycopg",
            username=role,
            password=password,
            database=cluster.DATABASE,
            query={"host": hosts, "target_session_attrs": "read-write"},
        ).render_as_string(hide_password=False)
