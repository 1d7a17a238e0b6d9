"""The moorage-server program: argument parsing and starting things, nothing more."""

import asyncio
import contextlib
import os
import pathlib
import signal
import sys
from collections.abc import Iterator

import click
import structlog

import moorage_server
from moorage_server import access, config, doctor, logs, restore
from moorage_server.api.reloading import Unreadable
from moorage_server.api.server import BindError
from moorage_server.embedded import cluster
from moorage_server.embedded.errors import EmbeddedError
from moorage_server.processes import one, several
from moorage_server.processes.ending import Ending
from moorage_server.storage import hosts, schema

_STATE = click.Path(path_type=pathlib.Path, file_okay=False)
_FAILURES = (
    config.SettingsError,
    schema.SchemaError,
    hosts.HostsError,
    EmbeddedError,
    BindError,
    doctor.NotExamined,
    Unreadable,
    restore.NotChecked,
    several.ProcessEnded,
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(moorage_server.__version__, prog_name="moorage-server")
def program() -> None:
    """Serve IP addresses out of PostgreSQL.

    \b
    Try it:            moorage-server serve --embedded ./state
    In production:     moorage-server migrate --database-url URL-OF-THE-OWNER
                       moorage-server serve --database-url URL-OF-THE-SERVICE
    """


_FILE = click.Path(dir_okay=False)


@program.command()
@click.option("--database-url", help="PostgreSQL to use, as role moorage_service [DATABASE_URL].")
@click.option("--embedded", type=_STATE, help="Run a PostgreSQL of our own in this directory.")
@click.option("--listen", help=f"host:port or unix:///path [{config.DEFAULT_LISTEN}].")
@click.option(
    "--metrics-listen", help=f'host:port, "" for no metrics [{config.DEFAULT_METRICS_LISTEN}].'
)
@click.option("--processes", type=int, help=f"1 to {config.MOST_PROCESSES}, on one port [1].")
@click.option("--insecure-bind", is_flag=True, help="Serve beyond loopback whoever it is.")
@click.option("--unsafe-database", is_flag=True, help="Serve from what a crash would lose.")
@click.option("--traces", is_flag=True, help="Send spans of calls to where OTEL_… variables say.")
@click.option("--tls-cert", type=_FILE, help="Certificate of the server and its chain, PEM.")
@click.option("--tls-key", type=_FILE, help="Its key, PEM.")
@click.option("--tls-client-ca", type=_FILE, help="Authorities of the callers' certificates, PEM.")
@click.option(
    "--node-identity",
    help=f"Which name of a certificate counts: {access.SPIFFE} or {access.NODE_CERTIFICATE}.",
)
@click.option("--spiffe-node", help=f"A node's id: spiffe://DOMAIN/PATH/node/{access.NAME}.")
@click.option("--token-issuer", help="Who signs the tokens that callers may show: their iss.")
@click.option("--token-audience", help="What this server is called in tokens: their aud.")
@click.option("--token-keys", help="The issuer's keys: a file, or an https URL (JWKS).")
@click.option("--token-keys-ca", type=_FILE, help="Authorities of that URL's certificate, PEM.")
@click.option(
    "--token-node-account",
    help="Whose tokens name their node: system:serviceaccount:NAMESPACE:NAME.",
)
@click.option("--token-listen", help="host:port for tokens, where --listen wants certificates.")
@click.option("--roles", type=_FILE, help="Who is operator, reader, tenant or collector, TOML.")
@click.option("--denied", type=_FILE, help="Certificates and tokens that are let in no more.")
@click.option(
    "--pod-facts",
    help=f"What nodes say of their pods: {access.NODE_ASSERTED}, or {access.VERIFIED} with their "
    f"cluster [{access.NODE_ASSERTED}].",
)
@click.option("--kubeconfig", type=_FILE, help="Where that is; else as the pod that this is.")
def serve(
    database_url: str | None,
    embedded: pathlib.Path | None,
    *,
    insecure_bind: bool,
    unsafe_database: bool,
    traces: bool,
    **chosen: str | int | None,
) -> None:
    """Serve until SIGTERM or Ctrl-C, then finish the calls under way.

    SIGTERM: not ready from then on, but serving for MOORAGE_DRAIN_SECONDS, 5, until whoever sends
    calls here has heard of it. A second one shortens what is left.
    """
    logs.configure()
    # Else the C core of gRPC has a line, of no shape, for everybody who connects without TLS.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    environment = dict(os.environ)
    # Each of these options says what its variable would.
    environment |= {
        access.variable(name): str(value) for name, value in chosen.items() if value is not None
    }
    if insecure_bind:
        environment["MOORAGE_INSECURE_BIND"] = "true"
    if unsafe_database:
        environment["MOORAGE_UNSAFE_DATABASE"] = "true"
    if traces:
        environment["MOORAGE_TRACES"] = "true"
    with _reported(), _database(embedded, database_url) as (url, postgres):
        asyncio.run(_serve(config.Settings.read(environment, database_url=url), postgres))


@program.command()
@click.option("--database-url", required=True, help="PostgreSQL, as the owner of the schema.")
@click.option("--revision", default="head", help='Revision, or "base" to drop everything.')
def migrate(database_url: str, revision: str) -> None:
    """Bring the schema of a database up to this version."""
    with _reported():
        config.require_postgresql(database_url)
        schema.migrate(database_url, revision)
    click.echo(f"schema is at {revision if revision != 'head' else schema.head()}")


@program.command("restore-check")
@click.option("--database-url", help="PostgreSQL to use, as role moorage_service [DATABASE_URL].")
@click.option("--embedded", type=_STATE, help="The PostgreSQL of our own in this directory.")
def restore_check(database_url: str | None, embedded: pathlib.Path | None) -> None:
    """Say that the database was restored from a backup, before anybody serves from it.

    It does not know all that is held. So nothing new is assigned in any VRF until each node that is
    known has sent the list of what it has, or somebody ends that by `moorctl quarantine lift`;
    releases go on, and what is held can be assigned again. Cursors of before are refused.
    """
    with _reported(), _database(embedded, database_url) as (url, _):
        awaited = restore.check(config.url_of_database(os.environ, url))
    for vrf, lists in awaited.items():
        click.echo(f"vrf/{vrf} is in quarantine; lists awaited: {lists}")
    click.echo("see `moorctl quarantine show` of each VRF once a server runs", err=True)


@program.command("doctor")
@click.option("--database-url", help="PostgreSQL to ask, as role moorage_service [DATABASE_URL].")
def examine(database_url: str | None) -> None:
    """Say whether a database is fit to keep addresses, and what to do where it is not.

    Versions, the schema, the role's rights, what outlives a crash, connections and age. Changes
    nothing, also while servers run. The exit code is 1 where something is wrong.
    """
    with _reported():
        findings = doctor.examine(config.Settings.read(os.environ, database_url=database_url))
    click.echo(doctor.report(findings))
    if not doctor.is_fit(findings):
        sys.exit(1)


@program.group()
def db() -> None:
    """Look into a running embedded PostgreSQL."""


@db.command(context_settings={"ignore_unknown_options": True})
@click.argument("state", type=_STATE)
@click.argument("arguments", nargs=-1)
def psql(state: pathlib.Path, arguments: tuple[str, ...]) -> None:
    """Open psql on the database in STATE."""
    _become(state, "psql", arguments)


@db.command(context_settings={"ignore_unknown_options": True})
@click.argument("state", type=_STATE)
@click.argument("arguments", nargs=-1)
def dump(state: pathlib.Path, arguments: tuple[str, ...]) -> None:
    """Write the database in STATE to stdout, as SQL."""
    _become(state, "pg_dump", arguments)


@db.command()
@click.argument("state", type=_STATE)
def url(state: pathlib.Path) -> None:
    """Print the URL of the database in STATE, for another server or migrate."""
    with _reported():
        click.echo(cluster.Cluster(state).url(role=cluster.OWNER_ROLE))


def main() -> None:
    """Runs the program."""
    program(prog_name="moorage-server")


def _become(state: pathlib.Path, tool: str, arguments: tuple[str, ...]) -> None:
    with _reported():
        command = [*cluster.Cluster(state).tool(tool), *arguments]
        os.execv(command[0], command)  # noqa: S606  # the program of our own binaries


@contextlib.contextmanager
def _reported() -> Iterator[None]:
    try:
        yield
    except _FAILURES as error:
        click.echo(f"moorage-server: {error}", err=True)
        sys.exit(1)


@contextlib.contextmanager
def _database(
    state: pathlib.Path | None, database_url: str | None
) -> Iterator[tuple[str | None, int | None]]:
    """The URL to serve from; an embedded PostgreSQL runs, migrated, and its pid is told."""
    if database_url and state:
        raise click.UsageError("give --database-url or --embedded, not both")
    if state is None:
        yield database_url, None
        return
    log = structlog.get_logger()
    with contextlib.ExitStack() as running:
        postgres = cluster.Cluster(state)
        postgres.start(lambda line: log.info("embedded PostgreSQL", state=line))
        running.callback(postgres.stop)
        schema.migrate(postgres.url(role=cluster.OWNER_ROLE))
        log.info("embedded PostgreSQL ready", version=postgres.version, directory=str(state))
        yield postgres.url(role=cluster.SERVICE_ROLE), postgres.pid


async def _serve(settings: config.Settings, postgres: int | None) -> None:
    ending, orphaned = Ending(), asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ending.begin)
    # Whoever is at the terminal has nobody else who would have to hear of it first.
    loop.add_signal_handler(signal.SIGINT, ending.skip)
    if postgres is not None:
        # Readable once the process has ended.
        loop.add_reader(os.pidfd_open(postgres), orphaned.set)
        loop.add_reader(os.pidfd_open(postgres), ending.skip)
    serving = several.serve if settings.processes > 1 else one.serve
    await serving(settings, ending)
    if orphaned.is_set():
        raise EmbeddedError("the embedded PostgreSQL has ended; its log says why; start again")
