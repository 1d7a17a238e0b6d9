"""What a prepared cluster offers to each role, with the wheel's programs and with Debian's."""

import pathlib
import socket
import subprocess
from collections.abc import Callable

import psycopg
import pytest
import sqlalchemy.exc

from moorage_server.embedded import cluster

Query = Callable[..., list[tuple[object, ...]]]


@pytest.mark.parametrize("role", [cluster.OWNER_ROLE, cluster.SERVICE_ROLE, cluster.READER_ROLE])
def test_none_of_the_roles_is_privileged(served: cluster.Cluster, query: Query, role: str) -> None:
    rights = "rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls, rolcanlogin"
    found = query(served, role, f"SELECT {rights} FROM pg_roles WHERE rolname = current_user")
    assert found == [(False, False, False, False, False, True)]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT pg_read_file('/etc/hostname')",
        "COPY (SELECT 1) TO PROGRAM 'cat'",
        "CREATE TABLE public.of_the_service (id integer)",
        "CREATE EXTENSION dblink",
    ],
)
def test_the_service_is_refused(served: cluster.Cluster, query: Query, statement: str) -> None:
    with pytest.raises(sqlalchemy.exc.ProgrammingError) as refusal:
        query(served, cluster.SERVICE_ROLE, statement)
    assert isinstance(refusal.value.orig, psycopg.errors.InsufficientPrivilege)


def test_the_owner_can_make_exclusion_constraints_over_text_and_networks(
    served: cluster.Cluster, query: Query
) -> None:
    query(
        served,
        cluster.OWNER_ROLE,
        "CREATE TABLE ranges (vrf text, cidr inet, "
        "EXCLUDE USING gist (vrf WITH =, cidr inet_ops WITH &&))",
    )
    query(served, cluster.OWNER_ROLE, "INSERT INTO ranges VALUES ('a', '10.0.0.0/8')")
    query(served, cluster.OWNER_ROLE, "INSERT INTO ranges VALUES ('b', '10.0.0.0/8')")
    with pytest.raises(sqlalchemy.exc.IntegrityError):
        query(served, cluster.OWNER_ROLE, "INSERT INTO ranges VALUES ('a', '10.1.0.0/16')")


def test_the_database_belongs_to_the_owner(served: cluster.Cluster, query: Query) -> None:
    statement = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'moorage'"
    found = query(served, cluster.BOOTSTRAP_ROLE, statement, database="postgres")
    assert found == [(cluster.OWNER_ROLE,)]


def test_text_is_ordered_by_code_point_and_pages_have_checksums(
    served: cluster.Cluster, query: Query
) -> None:
    found = query(
        served,
        cluster.SERVICE_ROLE,
        "SELECT 'Z' < 'a', current_setting(s) FROM "
        "unnest(ARRAY['data_checksums', 'server_encoding', 'timezone']) s",
    )
    assert found == [(True, "on"), (True, "UTF8"), (True, "UTC")]


def test_the_tools_reach_the_server_as_the_owner(served: cluster.Cluster) -> None:
    command = [*served.tool("psql"), "-At", "--command=SELECT current_user"]
    assert subprocess.check_output(command, text=True) == f"{cluster.OWNER_ROLE}\n"
    dump = subprocess.check_output(served.tool("pg_dump", role=cluster.BOOTSTRAP_ROLE), text=True)
    assert "CREATE EXTENSION IF NOT EXISTS btree_gist" in dump


def test_the_loopback_port_asks_for_the_password_in_the_file(tmp_path: pathlib.Path) -> None:
    port = _unused_port()
    where = f"host=127.0.0.1 port={port} dbname={cluster.DATABASE} user={cluster.SERVICE_ROLE}"
    with cluster.Cluster(tmp_path / "state", durable=False, port=port) as served:
        with psycopg.connect(f"{where} passfile={served.passfile}") as connection:
            assert connection.execute("SELECT current_user").fetchone() == (cluster.SERVICE_ROLE,)
        for missing in (where, f"host=127.0.0.1 port={port} user={cluster.BOOTSTRAP_ROLE}"):
            with pytest.raises(psycopg.OperationalError, match="password"):
                psycopg.connect(f"{missing} passfile=/dev/null")
        assert served.passfile.stat().st_mode & 0o777 == 0o600


def test_without_a_port_nothing_listens_on_the_network(
    served: cluster.Cluster, query: Query
) -> None:
    assert query(served, cluster.SERVICE_ROLE, "SHOW listen_addresses") == [("",)]


def _unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
