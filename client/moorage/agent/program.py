"""The program `moorage-agent`: its commands, and what lives from its start to its end."""

import contextlib
import logging
import os
import pathlib
import signal
import socket
import sys
from collections.abc import Iterator

import click

from moorage import traces
from moorage.agent import logs, places
from moorage.install import commands

_LOG = logging.getLogger(__name__)

_SOCKET = click.option(
    "--socket",
    "path",
    type=click.Path(path_type=pathlib.Path),
    default=places.SOCKET,
    show_default=True,
    help="Where calls come in; nobody but the agent's user can reach it.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Answer a node's CNI calls from one process that stays."""


@main.command()
@_SOCKET
@click.option(
    "--journal",
    "folder",
    type=click.Path(path_type=pathlib.Path),
    default=places.JOURNAL,
    show_default=True,
    help="Where releases wait for a server that is away.",
)
@click.option("--verbose", is_flag=True, help="Tell of every call, not only of those that fail.")
@click.option(
    "--traces",
    "is_traced",
    is_flag=True,
    envvar="MOORAGE_TRACES",
    help="Send spans of every call to where the variables OTEL_… say [MOORAGE_TRACES].",
)
def serve(path: pathlib.Path, folder: pathlib.Path, verbose: bool, is_traced: bool) -> None:
    """Serve until SIGTERM, which lets what was begun end within seconds; a second one does not."""
    os.umask(0o077)
    # What the C core of gRPC has to say names no call and has no shape.
    os.environ["GRPC_VERBOSITY"] = "NONE"
    logs.configure(logging.DEBUG if verbose else logging.INFO)
    try:
        with places.held(folder), places.listening(path) as listeners, _stopping() as stop:
            _serve(listeners, stop, folder, is_traced=is_traced)
    except places.Unfit as error:
        logs.tell(_LOG, logging.ERROR, "cannot start", why=str(error))
        sys.exit(1)


def _serve(
    listeners: places.Listeners, stop: socket.socket, folder: pathlib.Path, *, is_traced: bool
) -> None:
    # Not before the socket listens: to load gRPC takes as long as some calls can wait.
    from moorage.agent import host, journal, service  # noqa: PLC0415

    if is_traced:
        _trace()
    node = host.Node(journal.Journal(folder), os.fspath(places.seen_beside(folder)))
    node.start()
    logs.tell(_LOG, logging.INFO, "serves", pid=os.getpid(), releases_waiting=len(node.journal))
    left = service.Service(node).run(listeners, stop)
    if left:
        logs.tell(_LOG, logging.WARNING, "ends, and cuts calls off", calls=left)
        # Whoever called finds the connection closed and calls again; an error because we end would
        # be an answer. The locks go with the process, so nothing goes on beside the next agent.
        os._exit(0)
    node.stop()
    if traces.spans is not None:
        traces.spans.close()
    logs.tell(_LOG, logging.INFO, "ends", releases_waiting=len(node.journal))


def _trace() -> None:
    """Have spans made from now on. Raises places.Unfit."""
    try:
        from moorage import telemetry  # noqa: PLC0415 - loads what the extra has
        from moorage.agent import spans  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise places.Unfit(f"no traces without {error.name}; install moorage[traces]") from error
    try:
        traces.spans = spans.begun()
    except telemetry.Unfit as error:
        raise places.Unfit(str(error)) from error


@contextlib.contextmanager
def _stopping() -> Iterator[socket.socket]:
    """Have a socket that can be read from as soon as a signal asked to stop."""
    reading, writing = socket.socketpair()
    with reading, writing:
        writing.setblocking(False)
        signal.set_wakeup_fd(writing.fileno())
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _end_at_the_second)
        yield reading


def _end_at_the_second(number: int, _: object) -> None:
    signal.signal(number, signal.SIG_DFL)


main.add_command(commands.install)
main.add_command(commands.uninstall)


@main.command()
@_SOCKET
def status(path: pathlib.Path) -> None:
    """Ask the agent how it is; exits 1 where none answers."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(os.fspath(places.status_of(path)))
            told = b"".join(iter(lambda: connection.recv(4096), b""))
    except OSError as error:
        why = error.strerror or error
        raise click.ClickException(f"no agent answers on {path}: {why}") from error
    click.echo(told, nl=False)
