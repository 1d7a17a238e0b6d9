"""Several PostgreSQLs in one URL: who leads is found, and found at once the next time."""

import contextlib
import pathlib
import socket
import time
from collections.abc import Iterator

import psycopg
import pytest
import sqlalchemy as sa

from chaos.wire import Wire
from harness import postgres
from moorage_server.domain import errors
from moorage_server.embedded import cluster
from moorage_server.storage import database as storage
from moorage_server.storage import hosts, pulse, statements

PID = statements.Statement("SELECT pg_backend_pid()")
SOON = 1.0  # seconds, less than PostgreSQL's client would wait for whoever is silent


@contextlib.contextmanager
def opened(url: sa.URL) -> Iterator[storage.Database]:
    """A server's connections."""
    store = storage.Database(url.render_as_string(hide_password=False), threads=2)
    try:
        yield store
    finally:
        store.close()


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of somebody who accepts connections, and says nothing on them."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@contextlib.contextmanager
def wire_to(database: postgres.Database) -> Iterator[int]:
    """Another way to the same PostgreSQL."""
    own = among(database).query
    wire = Wire(f"{own['host']}/.s.PGSQL.{own['port']}")
    try:
        yield int(wire.target.rpartition(":")[2])
    finally:
        wire.close()


def test_whoever_falls_silent_when_he_has_let_us_in_is_not_waited_for(
    database: postgres.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosts, "ANSWER", 0.3)
    engine = sa.create_engine(database.service_url, poolclass=sa.NullPool)
    made = engine.raw_connection()
    assert made.dbapi_connection is not None
    assert hosts.start_of(made.dbapi_connection)
    with database.frozen(), pytest.raises(psycopg.OperationalError):
        hosts.start_of(made.dbapi_connection)
    assert made.dbapi_connection.closed
    made.invalidate()


def limits(seconds: float = 20.0) -> storage.Limits:
    """Time for one transaction."""
    return storage.Limits.until(time.monotonic() + seconds)


def among(database: postgres.Database, *ports: int) -> sa.URL:
    """The URL of loopback ports, and at last of a test's database."""
    url = sa.make_url(database.service_url)
    own = (url.query.get("host", url.host), url.query.get("port", url.port))
    hosts = ",".join([*("127.0.0.1" for _ in ports), str(own[0])])
    numbers = ",".join(str(each) for each in (*ports, own[1]))
    query = {"host": hosts, "port": numbers, "target_session_attrs": "read-write"}
    return url.set(host=None, port=None, query=query)


def test_who_was_silent_is_not_asked_again_where_another_leads(
    database: postgres.Database, silent: int
) -> None:
    with opened(among(database, silent)) as store:
        store.run(PID.value, limits())

        def both(_: storage.Transaction) -> float:
            began = time.monotonic()
            store.run(PID.value, limits())  # the first connection is in use
            return time.monotonic() - began

        assert store.run(both, limits()) < SOON


@pytest.mark.parametrize(
    "given",
    [
        {"hostaddr": "127.0.0.1,127.0.0.1"},
        {"hostaddr": ("127.0.0.1", "127.0.0.1"), "host": "one.example,other.example"},
    ],
    ids=["alone", "beside names"],
)
def test_addresses_are_hosts_of_which_who_leads_is_asked_first(
    database: postgres.Database, silent: int, given: dict[str, str | tuple[str, ...]]
) -> None:
    own = sa.make_url(database.service_url).set(host=None, port=None)
    with contextlib.ExitStack() as until:
        port = until.enter_context(wire_to(database))
        store = until.enter_context(opened(own.set(query={**given, "port": f"{silent},{port}"})))

        def both(transaction: storage.Transaction) -> tuple[hosts.Host, float]:
            began = time.monotonic()
            store.run(PID.value, limits())  # the first connection is in use
            return transaction.info["host"], time.monotonic() - began

        host, took = store.run(both, limits())
        assert host.port == str(port)
        assert took < SOON


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others are asked soon."""
    monkeypatch.setattr(pulse, "PERIOD", 0.1)
    monkeypatch.setattr(pulse, "LONG", 0.3)


@pytest.mark.usefixtures("impatient")
def test_whoever_waits_for_one_that_led_goes_on_with_another_that_leads(
    tmp_path: pathlib.Path,
) -> None:
    tried = []

    def work(transaction: storage.Transaction) -> None:
        tried.append(transaction.info["host"][0])
        if len(tried) == 1:
            transaction.execute(sa.text("SELECT pg_sleep(20)"))

    with cluster.Cluster(tmp_path / "1") as one, cluster.Cluster(tmp_path / "2") as other:
        urls = [sa.make_url(each.url(role=cluster.SERVICE_ROLE)) for each in (one, other)]
        hosts = [str(each.query["host"]) for each in urls]
        ports = ",".join(str(each.query["port"]) for each in urls)
        with opened(urls[0].set(query={"host": ",".join(hosts), "port": ports})) as store:
            store.run(work, limits(30))
            store.run(work, limits())
    assert tried == [hosts[0], hosts[1], hosts[1]]


@pytest.mark.usefixtures("impatient")
def test_one_that_has_two_names_does_not_lead_beside_itself(database: postgres.Database) -> None:
    tried = []

    def work(transaction: storage.Transaction) -> None:
        tried.append(transaction.info["host"][0])
        transaction.execute(sa.text("SELECT pg_sleep(1.5)"))

    with wire_to(database) as port, opened(among(database, port)) as store:
        store.run(work, limits(30))
    assert tried == ["127.0.0.1"]


def test_where_nobody_takes_writes_the_database_is_unavailable(
    database: postgres.Database, silent: int
) -> None:
    database.set("default_transaction_read_only", "on")
    with opened(among(database, silent)) as store, pytest.raises(errors.DatabaseUnavailable):
        store.run(PID.value, limits(2.0))


def test_their_ports_may_be_left_to_libpq(
    database: postgres.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = among(database)
    monkeypatch.setenv("PGPORT", str(own.query["port"]))
    folder = str(own.query["host"])
    hosts = f"{folder},{folder}/."
    for ports in ({}, {"port": f",{own.query['port']}"}):
        # What the URL says of them is nothing to servers, which only one that leads is of use to.
        query = {"host": hosts, "target_session_attrs": "standby", **ports}
        with opened(own.set(query=query)) as store:
            assert store.run(PID.value, limits()) > 0
