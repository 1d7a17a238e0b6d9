"""Which of several PostgreSQLs is asked first whether it takes writes.

Where one leads and others follow, all of them are named in the URL. One that is silent costs the
whole time for a connection each time it is asked, and after a failover that is the one that led
before. So whoever said no at once is asked before whoever took long, and whoever leads before all.
"""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import psycopg
import sqlalchemy as sa


class Host(NamedTuple):
    """One of the hosts, by the parameters of libpq, any of which may be left to it."""

    host: str = ""
    hostaddr: str = ""
    port: str = ""


ANY = Host()  # whichever libpq finds


class HostsError(Exception):
    """The hosts, addresses and ports of a URL do not pair."""


Connection = sa.engine.interfaces.DBAPIConnection
Parameters = dict[str, Any]  # of psycopg.connect

ANSWER = 3.0  # seconds for the first answer of whoever has let us in

_LEADS, _LED = -1.0, 3600.0  # costs of asking, as if in seconds


class Hosts:
    """What is known of the hosts of one URL."""

    def __init__(self) -> None:
        """Nothing; they are asked in the order of the URL."""
        self._costs: dict[Host, float] = {}
        self._connect: Callable[[Host], Connection] | None = None
        self._starts: dict[Host, object] = {}  # when the server behind each began, as it said last

    def connect(
        self,
        dialect: sa.Dialect,
        record: sa.pool.ConnectionPoolEntry,
        arguments: list[Any],
        parameters: Parameters,
    ) -> Connection:
        """Connects to the first that can be used; raises what the last one said."""
        failure = psycopg.OperationalError("no host is named")
        hosts = _apart(parameters)
        others = {name: value for name, value in parameters.items() if name not in Host._fields}
        if len(hosts) > 1:
            # Of several, one that follows is none that can be used, whatever the URL says.
            others["target_session_attrs"] = "read-write"

        def connect(host: Host) -> Connection:
            return dialect.connect(*arguments, **others | _named(host))

        for host in hosts:
            self._costs.setdefault(host, 0.0)
        self._connect = connect
        for host in sorted(hosts, key=self._costs.__getitem__):
            try:
                record.info["host"] = host
                return self._tried(host, connect)
            except psycopg.OperationalError as error:
                failure = error
        raise failure

    def another_leads(self, host: Host) -> bool:
        """Whether one takes writes beside this one; from then on it is asked first."""
        if self._connect is None:
            return False
        for other in [each for each in self._costs if each != host]:
            try:
                self._tried(other, self._connect).close()
            except psycopg.OperationalError:
                continue
            # Two names may lead to one server, as those of two poolers do.
            if self._starts[other] != self._starts.get(host):
                self._costs[host] = _LED
                return True
        return False

    def _tried(self, host: Host, connect: Callable[[Host], Connection]) -> Connection:
        began = time.monotonic()
        try:
            made = connect(host)
            if len(self._costs) > 1:
                self._starts[host] = start_of(made)
        except psycopg.OperationalError:
            self._costs[host] = time.monotonic() - began
            raise
        self._costs[host] = _LEADS
        return made


def start_of(made: Connection) -> object:
    """When its PostgreSQL was started, by which it is known from any other.

    Where it falls silent, closes the connection, which no transaction watches over yet, and raises
    psycopg.OperationalError.
    """
    try:
        with _bounded(made.fileno()), contextlib.closing(made.cursor()) as cursor:
            cursor.execute("SELECT pg_postmaster_start_time()")
            return cursor.fetchone()
    except psycopg.OperationalError:
        made.close()
        raise


@contextlib.contextmanager
def _bounded(descriptor: int) -> Iterator[None]:
    """Whoever waits on a connection hears within ANSWER seconds that there will be no answer."""
    with socket.socket(fileno=os.dup(descriptor)) as wire:
        guard = threading.Timer(ANSWER, _shut, [wire])
        guard.start()
        try:
            yield
        finally:
            guard.cancel()
            guard.join()


def _shut(wire: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it has ended by itself
        wire.shutdown(socket.SHUT_RDWR)


def readable(url: str) -> sa.URL:
    """A URL as SQLAlchemy reads it, which knows nothing of addresses; raises HostsError.

    To libpq a name is what certificates are of, and an address without one is its own.
    """
    read = sa.make_url(url)
    query = dict(read.query)
    addresses = _listed(query.pop("hostaddr", ""))
    if addresses:
        query |= _paired(read, addresses)
    made = read.set(query=query)
    try:
        made.get_dialect()().create_connect_args(made)
    except sa.exc.ArgumentError as error:
        raise HostsError(str(error)) from error
    return made


def _paired(url: sa.URL, addresses: list[str]) -> dict[str, str]:
    names = _listed(url.query.get("host", url.host or ""))
    ports = _listed(url.query.get("port", ""))
    if len(ports) == 1:
        ports *= len(addresses)
    for what, listed in (("hosts", names), ("ports", ports)):
        if len(listed) not in (0, len(addresses)):
            counts = f"{len(listed)} {what} and {len(addresses)} addresses (hostaddr)"
            raise HostsError(f"{counts} don't match")
    told = {"port": ports, "hostaddr" if names else "host": addresses}
    return {name: ",".join(values) for name, values in told.items() if values}


def _listed(value: str | tuple[str, ...]) -> list[str]:
    whole = value if isinstance(value, str) else ",".join(value)
    return whole.split(",") if whole else []


def _apart(parameters: Parameters) -> list[Host]:
    """The hosts with their ports, as libpq reads them."""
    names, addresses, ports = (str(parameters.get(each, "")).split(",") for each in Host._fields)
    every = zip(names, _each(addresses, names), _each(ports, names), strict=True)
    return [Host(*each) for each in every]


def _each(values: list[str], names: list[str]) -> list[str]:
    return values * len(names) if len(values) == 1 else values


def _named(host: Host) -> Parameters:
    return {name: value for name, value in host._asdict().items() if value}
