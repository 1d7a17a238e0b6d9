"""The commands `install` and `uninstall`, for a group to take in."""

import contextlib
import functools
import os
import pathlib
import re
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import click

from moorage import targets, tls
from moorage.cni import settings
from moorage.install import bytecode, credentials, errors, installation, launcher, network

_PATH = click.Path(path_type=pathlib.Path)
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_LONGEST_NODE_NAME = 253


class _Server(click.ParamType[str]):
    """Where a server is."""

    name = "server"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return it as it is."""
        try:
            targets.uri(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return value


class _Name(click.ParamType[str]):
    """A name; a variable that Kubernetes has not filled in is none."""

    name = "name"

    def __init__(self, longest: int) -> None:
        self._longest = longest

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return it as it is."""
        if not _NAME.fullmatch(value) or len(value) > self._longest:
            allowed = f"write letters, digits, '-', '_' and '.', at most {self._longest}"
            self.fail(f"{value!r} is not a name: {allowed}", param, ctx)
        return value


_LIST = (
    click.option("--conflist", type=_PATH, help="The network list to put there."),
    click.option(
        "--server",
        metavar="HOST:PORT",
        type=_Server(),
        help="The Moorage server, for a network list that does not say it.",
    ),
    click.option(
        "--tls-ca",
        metavar="FILE",
        help="Authorities of the server's certificate, for a network list without `tls`.",
    ),
    click.option("--tls-cert", metavar="FILE", help="With it: the certificate of this node."),
    click.option("--tls-key", metavar="FILE", help="With it: its key."),
    click.option(
        "--nodename",
        metavar="NAME",
        type=_Name(_LONGEST_NODE_NAME),
        help="What Kubernetes calls this node, for a network list that does not say it.",
    ),
    click.option(
        "--cluster",
        metavar="UID",
        type=_Name(settings.LONGEST_CLUSTER),
        help="Uid of the cluster's namespace kube-system, for a network list that does not say it; "
        "by default, with --service-account, what the Kubernetes API tells.",
    ),
)
# What completes a list, by the names of its options.
_COMPLETING = ("server", "tls_ca", "tls_cert", "tls_key", "nodename", "cluster")
_PLACES = (
    click.option(
        "--conflist-name",
        default=installation.CONFLIST,
        show_default=True,
        help="The network list's name there; the runtime takes the first in order of names.",
    ),
    click.option(
        "--conf-dir",
        type=_PATH,
        default=installation.CONF_DIR,
        show_default=True,
        help="Where the runtime looks for networks.",
    ),
    click.option(
        "--bin-dir",
        type=_PATH,
        default=installation.BIN_DIR,
        show_default=True,
        help="Where the runtime looks for plugins.",
    ),
)


def _places(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of the places, which it takes as one."""

    @functools.wraps(command)
    def with_places(
        bin_dir: pathlib.Path, conf_dir: pathlib.Path, conflist_name: str, **rest: object
    ) -> None:
        places = installation.Places(bin_dir=bin_dir, conf_dir=conf_dir, conflist=conflist_name)
        command(places, **rest)

    for option in _PLACES:
        with_places = option(with_places)
    return with_places


class _Started(NamedTuple):
    """What a runtime starts, and what that needs."""

    python: pathlib.Path
    socket: pathlib.Path | None
    forwarder: pathlib.Path | None


_STARTED = (
    click.option(
        "--python",
        type=_PATH,
        default=sys.executable,
        show_default="the one that runs this",
        help="The node's Python that runs the plugin; without an agent, it needs the package too.",
    ),
    click.option("--socket", type=_PATH, help="Where the node's agent listens, if it has one."),
    click.option(
        "--forwarder",
        type=_PATH,
        help="A program that passes calls on to the agent, for a node without Python.",
    ),
)


def _started(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of what is started, which it takes as one."""

    @functools.wraps(command)
    def with_started(
        *given: object,
        python: pathlib.Path,
        socket: pathlib.Path | None,
        forwarder: pathlib.Path | None,
        **rest: object,
    ) -> None:
        command(*given, started=_Started(python, socket, forwarder), **rest)

    for option in reversed(_STARTED):
        with_started = option(with_started)
    return with_started


def _network(source: pathlib.Path, known: Mapping[str, str]) -> network.Network:
    named = (known["tls_ca"], known["tls_cert"], known["tls_key"])
    try:
        files = tls.of(*named)
    except tls.Unusable as error:
        raise click.UsageError(str(error)) from error
    return network.Network(
        source=source,
        server=known["server"],
        tls=_spelled(files) if files else {},
        node_name=known["nodename"],
        cluster_uid=known["cluster"],
    )


def _spelled(files: tls.Tls) -> dict[str, str]:
    """As `ipam.tls` of a network list has them; a certificate may be none."""
    return {name: path for name, path in files._asdict().items() if path}


def _listed(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of the network list, which it takes as one."""

    @functools.wraps(command)
    def with_list(*given: object, conflist: pathlib.Path | None, **rest: object) -> None:
        known = {name: str(rest.pop(name) or "") for name in _COMPLETING}
        if any(known.values()) and not conflist:
            raise click.UsageError(
                "--server, --tls-…, --nodename and --cluster complete what --conflist names"
            )
        command(*given, listed=conflist and _network(conflist, known), **rest)

    for option in reversed(_LIST):
        with_list = option(with_list)
    return with_list


@click.command()
@_places
@_started
@_listed
@click.option(
    "--service-account",
    "account",
    type=_PATH,
    help="Directory of a service account's token, to make the plugin's kubeconfig of.",
)
@click.option("--api-server", help="URL of the Kubernetes API; by default what a pod is told.")
@click.option("--watch", is_flag=True, help="Stay, and renew the kubeconfig with the token.")
@click.option("--force", is_flag=True, help="Overwrite what somebody else has put there.")
def install(
    places: installation.Places,
    started: _Started,
    listed: network.Network | None,
    account: pathlib.Path | None,
    api_server: str | None,
    watch: bool,
    force: bool,
) -> None:
    """Put the plugin on this node, and what it needs; says of each file what became of it.

    As often as you like: what is as it should be is left alone. Pods may be made meanwhile.
    """
    if watch and account is None:
        raise click.UsageError("--watch renews the kubeconfig, which needs --service-account")
    if started.forwarder is not None and started.socket is None:
        raise click.UsageError("--forwarder passes calls on to an agent, which needs --socket")
    os.umask(0o022)  # whatever started this: a runtime must be able to read what is put there
    with _explained():
        known = _account(account, api_server)
        program = _program(started)
        _tell(
            installation.install(places, program=program, listed=listed, account=known, force=force)
        )
    if watch and known is not None:
        is_over = _stopped_within(installation.LOOK_AGAIN_S)
        installation.keep_fresh(places, known, is_over=is_over, tell=click.echo)


@click.command()
@_places
def uninstall(places: installation.Places) -> None:
    """Take from this node what `install` has put there, and nothing else."""
    with _explained():
        _tell(installation.uninstall(places))


def _program(started: _Started) -> bytes:
    python, socket, forwarder = started
    if socket is None:
        bytecode.keep()
        return launcher.direct(python)
    if forwarder is None:
        return launcher.forwarding(python, socket)
    try:
        return launcher.static(forwarder.read_bytes(), socket)
    except OSError as error:
        why = f"cannot be read: {(error.strerror or str(error)).lower()}"
        raise errors.unusable(forwarder, why, "name what `make forwarder` built") from error


def _account(folder: pathlib.Path | None, server: str | None) -> installation.Account | None:
    if folder is None:
        return None
    found = server or credentials.server_of_pod(os.environ)
    return installation.Account(folder=folder, server=found)


def _tell(told: installation.Told) -> None:
    for path, outcome in told:
        click.echo(f"{path} {outcome.value}")


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except errors.InstallError as error:
        raise click.ClickException(str(error)) from error


def _stopped_within(seconds: float) -> Callable[[], bool]:
    # Blocked, they wait for who asks: no handler runs in the middle of something.
    stops = (signal.SIGTERM, signal.SIGINT)
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)
    return lambda: signal.sigtimedwait(stops, seconds) is not None
