"""The installed moorage-server: what it says when it cannot do what it is told."""

import os
import pathlib
import signal
import socket
import subprocess

import grpc
import pytest

from harness import postgres


def run(program: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What the program does with these arguments and no other environment."""
    return subprocess.run(
        [program, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"PATH": "/usr/bin:/bin", **environment},
    )


@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        (["serve"], {}, "DATABASE_URL is not set; give --database-url or set it"),
        (
            ["serve", "--database-url", "postgresql://", "--listen", "0.0.0.0:7711"],
            {},
            "MOORAGE_LISTEN is '0.0.0.0:7711': plain text is served on loopback or a Unix socket "
            "only; set MOORAGE_TLS_CERT, MOORAGE_TLS_KEY and MOORAGE_TLS_CLIENT_CA or "
            "MOORAGE_TOKEN_ISSUER, or "
            "--insecure-bind where the network itself is trusted",
        ),
        (
            ["serve", "--database-url", "postgresql+psycopg:///m?host=a,b&hostaddr=127.0.0.1"],
            {},
            "the database URL: 2 hosts and 1 addresses (hostaddr) don't match",
        ),
        (
            ["migrate", "--database-url", "postgresql+psycopg:///m?hostaddr=::1,::1&port=1,2,3"],
            {},
            "the database URL: 3 ports and 2 addresses (hostaddr) don't match",
        ),
        (
            ["serve", "--database-url", "postgresql+psycopg:///m?host=a,b,c&port=1,2"],
            {},
            "the database URL: number of hosts and ports don't match",
        ),
        (
            ["serve"],
            {"DATABASE_URL": "postgresql://", "MOORAGE_THREADS": "many"},
            "MOORAGE_THREADS is 'many'; give a whole number",
        ),
        (
            ["serve"],
            {"DATABASE_URL": "postgresql://", "MOORAGE_DRAIN_SECONDS": "soon"},
            "MOORAGE_DRAIN_SECONDS is 'soon'; give seconds",
        ),
        (
            ["serve"],
            {"DATABASE_URL": "postgresql://", "MOORAGE_DRAIN_SECONDS": "-1"},
            "MOORAGE_DRAIN_SECONDS is -1; give 0 to 300",
        ),
        (
            ["serve"],
            {"DATABASE_URL": "postgresql://", "MOORAGE_THREADS": "0"},
            "MOORAGE_THREADS is 0; give 2 to 64",
        ),
        (
            ["serve", "--database-url", "postgresql://", "--processes", "65"],
            {},
            "MOORAGE_PROCESSES is 65; give 1 to 64",
        ),
        (
            ["serve", "--database-url", "postgresql://", "--listen", "unix:///run/s"],
            {"MOORAGE_PROCESSES": "2"},
            "MOORAGE_LISTEN is 'unix:///run/s': several processes can share a port, but no Unix "
            "socket; give host:port, or one process",
        ),
        (
            ["serve", "--database-url", "postgresql://", "--metrics-listen", "127.0.0.1:7710"],
            {"MOORAGE_PROCESSES": "2"},
            "MOORAGE_METRICS_LISTEN is '127.0.0.1:7710': each process takes a port, 7710 to 7711; "
            "give the first of 2 that are free, without the one of MOORAGE_LISTEN",
        ),
        (
            ["serve", "--database-url", "postgresql://", "--metrics-listen", "127.0.0.1:65535"],
            {"MOORAGE_PROCESSES": "2"},
            "MOORAGE_METRICS_LISTEN is '127.0.0.1:65535': each process takes a port, 65535 to "
            "65536; give the first of 2 that are free, without the one of MOORAGE_LISTEN",
        ),
        (
            ["serve", "--database-url", "postgresql://", "--listen", "127.0.0.1:65536"],
            {},
            "MOORAGE_LISTEN is '127.0.0.1:65536'; give host:port, or unix:///path",
        ),
        (
            ["serve"],
            {"DATABASE_URL": "postgresql://", "MOORAGE_REFLECTION": "maybe"},
            "MOORAGE_REFLECTION is 'maybe'; give true or false",
        ),
        (
            ["serve", "--database-url", "postgresql://", "--listen", "127.0.0.1"],
            {},
            "MOORAGE_LISTEN is '127.0.0.1'; give host:port, or unix:///path",
        ),
        (
            ["serve", "--database-url", "mysql://u@h/d"],
            {},
            "the database URL is not one of PostgreSQL; write postgresql+psycopg://USER@HOST/NAME",
        ),
        (
            ["serve", "--database-url", "nonsense"],
            {},
            "the database URL is not one of PostgreSQL; write postgresql+psycopg://USER@HOST/NAME",
        ),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_expected(
    program: str, arguments: list[str], environment: dict[str, str], message: str
) -> None:
    result = run(program, *arguments, **environment)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"moorage-server: {message}\n"


def test_a_taken_port_is_named(program: str, database: postgres.Database) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        result = run(program, "serve", "--database-url", database.service_url, "--listen", listen)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == (
        f"moorage-server: cannot listen on {listen}: it is taken, or not of this machine; "
        "choose another with --listen"
    )


def test_it_tells_its_version_and_how_to_use_it(program: str) -> None:
    assert run(program, "--version").stdout.startswith("moorage-server, version ")
    assert "moorage-server serve --embedded" in run(program, "--help").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--database-url", "mysql://u@h/d"], "the database URL is not one of PostgreSQL"),
        (["--database-url", "nonsense"], "the database URL is not one of PostgreSQL"),
        (
            ["--database-url", "postgresql+psycopg://u@127.0.0.1:1/d"],
            "cannot reach the database, or not as its owner",
        ),
    ],
)
def test_a_migration_that_cannot_be_says_why(
    program: str, arguments: list[str], message: str
) -> None:
    result = run(program, "migrate", *arguments)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith(f"moorage-server: {message}")
    assert "Traceback" not in result.stderr


def test_an_unknown_revision_is_named(program: str, database: postgres.Database) -> None:
    result = run(program, "migrate", "--database-url", database.owner_url, "--revision", "zzz")
    assert result.returncode == 1
    assert result.stderr.startswith('moorage-server: cannot go to revision "zzz"')


def test_two_databases_at_once_are_refused(program: str) -> None:
    result = run(program, "serve", "--database-url", "postgresql://", "--embedded", "state")
    assert result.returncode == 2
    assert "give --database-url or --embedded, not both" in result.stderr


def test_a_server_whose_embedded_postgresql_dies_ends_and_says_so(
    program: str, tmp_path: pathlib.Path
) -> None:
    state = tmp_path / "state"
    log = (tmp_path / "log").open("w+")
    listen = f"unix://{tmp_path}/s"
    serving = subprocess.Popen(
        [program, "serve", "--embedded", str(state), "--listen", listen], stderr=log
    )
    try:
        with grpc.insecure_channel(listen) as channel:
            grpc.channel_ready_future(channel).result(timeout=60)
        postmaster = (state / "data" / "postmaster.pid").read_text().split()[0]
        os.kill(int(postmaster), signal.SIGKILL)
        assert serving.wait(timeout=60) == 1
    finally:
        serving.kill()
        serving.wait()
    log.seek(0)
    assert log.read().splitlines()[-1] == (
        "moorage-server: the embedded PostgreSQL has ended; its log says why; start again"
    )
    log.close()
