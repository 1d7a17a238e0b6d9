"""One PostgreSQL of the three and the agent that looks after it, and the ways that lead to them."""

import base64
import contextlib
import copy
import json
import os
import pathlib
import shlex
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any, Final

import psycopg
import yaml

from e2e.toolchain import UnavailableError
from failover.cells import Cell
from failover.ways import Way
from harness import ports
from moorage_server.embedded import binaries, cluster

_ROOT = pathlib.Path(__file__).resolve().parents[2]
SHIPPED: Final[dict[str, Any]] = yaml.safe_load((_ROOT / "docker/ha/patroni.yaml").read_text())
SCOPE: Final[str] = SHIPPED["scope"]
# What the containers have elsewhere, and under other rules.
_MAY_CONNECT = [
    "local all all trust",
    "host all all 127.0.0.1/32 scram-sha-256",
    "host replication all 127.0.0.1/32 scram-sha-256",
]
_SCRIPTS = {
    "/docker/roles.sql": _ROOT / "docker/initdb/roles.sql",
    "/docker/strict.sql": _ROOT / "docker/ha/strict.sql",
}
_ASKED = 2.0  # seconds for an answer of an agent
_CANCELS = 20  # COMMITs whose wait an operator ends before he thinks better of it
_STUCK = """
SELECT pg_cancel_backend(pid) FROM pg_stat_activity
WHERE wait_event = 'SyncRep' AND state_change < clock_timestamp() - interval '1 s'
"""


def program() -> pathlib.Path:
    """The agent; raises UnavailableError where it is not installed."""
    found = pathlib.Path(sys.executable).with_name("patroni")
    if not found.exists():
        raise UnavailableError("no patroni in this environment: uv's group `failover` has it")
    return found


class Member:
    """Its ways: of servers to PostgreSQL, of other members to both, and its own to etcd."""

    def __init__(
        self, name: str, folder: pathlib.Path, etcd: int, password: str, *, strict: bool
    ) -> None:
        """Does not run yet. Where it is not `strict`, what it acknowledges may be its own alone."""
        self.name, self._folder, self._password = name, folder, password
        self._strict = strict
        self.port, self._rest = ports.free(), ports.free()
        with contextlib.ExitStack() as until:
            self.front, self._peers, self._agents, self._etcd = (
                until.enter_context(_way(port)) for port in (self.port, self.port, self._rest, etcd)
            )
            self._close = until.pop_all()
        folder.mkdir()
        self.sockets = folder / "run"
        self.sockets.mkdir(mode=0o700)
        self.log = folder / "log"
        self._settings = folder / "patroni.json"
        self._settings.write_text(json.dumps(self._configuration()))
        self._cell: Cell | None = None
        self._mended = threading.Event()
        self._operator = threading.Thread()

    def start(self) -> None:
        """Runs it, where it does not."""
        if self._cell is None:
            # Pids of a cell come again in the next one, and this would be a stranger's.
            (self._folder / "data" / "postmaster.pid").unlink(missing_ok=True)
            self._cell = Cell([program(), self._settings], self.log)

    def kill(self) -> None:
        """Ends PostgreSQL and agent at once."""
        if self._cell is not None:
            self._cell.kill()
            self._cell = None

    def freeze(self) -> None:
        """PostgreSQL and agent stand still."""
        assert self._cell is not None
        self._cell.freeze()

    def abandon(self) -> None:
        """The agent stands still, and PostgreSQL goes on as it was left."""
        assert self._cell is not None
        self._cell.freeze(but="postgres")

    def cancel_waits(self) -> None:
        """From now on an operator ends what waits for standbys, until this is mended."""
        self._mended.clear()
        self._operator = threading.Thread(target=self._cancel_waits, daemon=True)
        self._operator.start()

    def _cancel_waits(self) -> None:
        left = _CANCELS
        with psycopg.connect(
            host=str(self.sockets),
            port=self.port,
            user=cluster.BOOTSTRAP_ROLE,
            dbname="postgres",
            autocommit=True,
        ) as connection:
            while left > 0 and not self._mended.wait(0.1):
                left -= len(connection.execute(_STUCK).fetchall())

    def part(self, *, members: bool, servers: bool) -> None:
        """Cuts it off from etcd, and from others as well where that is asked for."""
        others = (self._peers, self._agents) if members else ()
        for each in (self._etcd, *others, *((self.front,) if servers else ())):
            each.part()

    def mend(self) -> None:
        """Runs, goes on, and is reached."""
        self._mended.set()
        if self._operator.is_alive():
            self._operator.join()
        for each in (self.front, self._peers, self._agents, self._etcd):
            each.mend()
        if self._cell is not None:
            self._cell.thaw()
        self.start()

    def close(self) -> None:
        """Ends everything."""
        self.kill()
        self._close.close()

    def ask(self, path: str, content: object = None) -> Any:  # noqa: ANN401  # JSON
        """What its agent says, or None; with `content`, what it says to that."""
        secret = base64.b64encode(f"{SCOPE}:{self._password}".encode()).decode()
        data = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._rest}/{path}",
            data,
            {"Authorization": f"Basic {secret}", "Content-Type": "application/json"},
        )
        patience = _ASKED if content is None else 60.0
        try:
            with urllib.request.urlopen(request, timeout=patience) as answer:
                said = answer.read().decode()
        except (OSError, urllib.error.URLError):
            return None
        return json.loads(said) if said.startswith("{") else said

    @property
    def leads(self) -> bool:
        """Whether it is the leader, by its own word and that of etcd."""
        return self.ask("primary") is not None

    def _configuration(self) -> dict[str, Any]:
        """The shipped one, with the places, ports and passwords of here."""
        made = copy.deepcopy(SHIPPED) | {"name": self.name}
        # As a proxy, or it would ask etcd for the way to it, and take that one.
        made["etcd3"] = {"proxy": f"http://{self._etcd.target}"}
        made["restapi"] |= {
            "listen": f"127.0.0.1:{self._rest}",
            "connect_address": self._agents.target,
        }
        made["restapi"]["authentication"]["password"] = self._password
        self._change_rules(made["bootstrap"])
        postgres = made["postgresql"]
        postgres |= {
            "listen": f"127.0.0.1:{self.port}",
            "connect_address": self._peers.target,
            "data_dir": str(self._folder / "data"),
            "bin_dir": str(binaries.find().programs),
            "pgpass": str(self._folder / "pgpass"),
            "pg_hba": _MAY_CONNECT,
        }
        for each in postgres["authentication"].values():
            each["password"] = self._password
        postgres["parameters"] |= {
            "unix_socket_directories": str(self.sockets),
            "unix_socket_permissions": "0700",
        }
        return made

    def _change_rules(self, bootstrap: dict[str, Any]) -> None:
        if not self._strict:
            for name in [each for each in bootstrap["dcs"] if each.startswith("synchronous_")]:
                del bootstrap["dcs"][name]
        script = bootstrap["post_init"]
        for there, here in _SCRIPTS.items():
            script = script.replace(there, str(here))
        # The password of a role is its name, as everywhere in the tests.
        roles = (cluster.OWNER_ROLE, cluster.SERVICE_ROLE, cluster.READER_ROLE)
        given = [f"{role.upper()}_PASSWORD={role}" for role in roles]
        path = f"PATH={binaries.find().programs}:{os.defpath}"
        bootstrap["post_init"] = f"{shlex.join(['env', path, *given])} {script}"


@contextlib.contextmanager
def _way(port: int) -> Iterator[Way]:
    way = Way(port)
    try:
        yield way
    finally:
        way.mend()
        way.close()
