"""The way to the database has TLS as its URL says, and goes to no other server."""

import os
import pathlib
import shutil
import tempfile
import time
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from harness import ports
from harness.certificates import Authority
from moorage_server.domain import errors
from moorage_server.embedded import binaries, cluster
from moorage_server.storage import database

DEBIAN = pathlib.Path("/usr/lib/postgresql/15/bin")


@pytest.fixture(scope="module")
def folder() -> Iterator[pathlib.Path]:
    """One that every user can reach, which pytest's own are not."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="moorage-test-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def authority(folder: pathlib.Path) -> Authority:
    """One that the server's certificate is of."""
    return Authority(folder)


@pytest.fixture(scope="module")
def url(folder: pathlib.Path, authority: Authority) -> Iterator[str]:
    """Of a PostgreSQL that speaks TLS on loopback, as 127.0.0.1 and by no other name."""
    if not DEBIAN.is_dir():
        # The wheel's own PostgreSQL is built without TLS.
        pytest.skip(f"{DEBIAN} does not exist: Debian's PostgreSQL 15 is not installed")
    port = ports.free()
    installation = binaries.at(DEBIAN)
    paper = authority.sign("db", common_name="db", hosts=["127.0.0.1"])
    with cluster.Cluster(
        folder / "state", durable=False, port=port, installation=installation
    ) as running:
        for path, name in ((paper.certificate, "server.crt"), (paper.key, "server.key")):
            placed = pathlib.Path(shutil.copy(path, running.data / name))
            placed.chmod(0o600)
            os.chown(placed, running.data.stat().st_uid, running.data.stat().st_gid)
        with sa.create_engine(
            running.url(role=cluster.BOOTSTRAP_ROLE),
            isolation_level="AUTOCOMMIT",
            poolclass=sa.NullPool,
        ).connect() as connection:
            connection.execute(sa.text("ALTER SYSTEM SET ssl = on"))
            connection.execute(sa.text("SELECT pg_reload_conf()"))
        lines = running.passfile.read_text().splitlines()
        passwords = {line.split(":")[3]: line.split(":")[4] for line in lines}
        role = cluster.SERVICE_ROLE
        yield f"postgresql+psycopg://{role}:{passwords[role]}@127.0.0.1:{port}/{cluster.DATABASE}"


def is_encrypted(url: str) -> bool:
    """Whether a connection of the server's own has TLS."""
    store = database.Database(url, threads=2)
    try:
        query = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        limits = database.Limits.until(time.monotonic() + 10)
        return bool(store.run(lambda connection: connection.scalar(sa.text(query)), limits))
    finally:
        store.close()


def test_the_url_says_that_the_way_has_tls(url: str, authority: Authority) -> None:
    assert is_encrypted(f"{url}?sslmode=verify-full&sslrootcert={authority.ca}")
    assert not is_encrypted(f"{url}?sslmode=disable")


def test_no_other_server_is_spoken_to(
    url: str, authority: Authority, tmp_path: pathlib.Path
) -> None:
    other = Authority(tmp_path, "other")
    named = url.replace("127.0.0.1", "localhost")
    assert is_encrypted(f"{named}?sslmode=verify-ca&sslrootcert={authority.ca}")
    for wrong in (
        f"{url}?sslmode=verify-full&sslrootcert={other.ca}",
        f"{named}?sslmode=verify-full&sslrootcert={authority.ca}",
    ):
        with pytest.raises(errors.DatabaseUnavailable):
            is_encrypted(wrong)
