"""The program moorage-controller: its options, its log, its signals, and how it ends."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from typing import NoReturn

import click

import moorage
from moorage import kube, names, targets, tls
from moorage.cni import errors, kubeconfig, settings
from moorage.controller import credentials, lease, terms
from moorage.ctl import exits

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_LOOK_AGAIN = 1.0  # seconds, whether the work has ended by itself
_UNITS = {"s": 1, "m": 60, "h": 3600}
_LEAST_GRACE, _MOST_GRACE = 60, 86_400
_CLUSTER = re.compile(r"[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?")

_HELP = """Keep a Moorage server in step with a Kubernetes cluster, until SIGTERM.

\b
  moorage-controller --server ipam.example:7711 --cluster-name east

Records the labels of the cluster's nodes, releases the addresses of pods that are gone, and deletes
nodes that are gone and hold nothing any more. Inside of a pod it uses the pod's service account.
Any number may run: one of them acts, the others wait for its lease.

\b
Exit codes:
  0   stopped by SIGTERM or SIGINT, the lease given up
  2   the command line or the kubeconfig is wrong
  8   fault of the controller
"""


class _Duration(click.ParamType[int]):
    """A number of seconds, minutes or hours."""

    name = "duration"

    def __init__(self, least: int, most: int) -> None:
        self._least = least
        self._most = most

    def convert(
        self, value: str | int, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Return how many seconds it is."""
        match = re.fullmatch(r"([0-9]{1,5})([smh]?)", str(value))
        seconds = int(match[1]) * _UNITS[match[2] or "s"] if match else -1
        if not self._least <= seconds <= self._most:
            self.fail(
                f"{value!r} is not a duration such as 90s, 10m or 1h, "
                f"from {self._least} to {self._most} seconds",
                param,
                ctx,
            )
        return seconds


def _server(_: click.Context, __: click.Parameter, value: str) -> str:
    try:
        targets.uri(value)
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from error
    return value


def _files(
    ca: str | None, certificate: str | None, key: str | None, token: str | None
) -> tls.Tls | None:
    try:
        files = tls.of(ca, certificate, key, token)
        if files:
            tls.read(files)
        if token:
            tls.token(token)
    except tls.Unusable as error:
        raise click.UsageError(str(error)) from error
    return files


def _cluster_name(_: click.Context, __: click.Parameter, value: str) -> str:
    if not _CLUSTER.fullmatch(value):
        raise click.BadParameter(
            f"{value!r} is no name: lower-case letters, digits, '-' and '.', at most 63"
        )
    return value


def _cluster_uid(_: click.Context, __: click.Parameter, value: str | None) -> str:
    if value is not None and not 0 < len(value) <= settings.LONGEST_CLUSTER:
        raise click.BadParameter(f"write 1 to {settings.LONGEST_CLUSTER} characters")
    return value or ""


@click.command(context_settings={"help_option_names": ["-h", "--help"]}, help=_HELP)
@click.version_option(moorage.__version__, prog_name="moorage-controller")
@click.option(
    "--server",
    envvar="MOORAGE_SERVER",
    default=names.DEFAULT_SERVER,
    show_default=True,
    show_envvar=True,
    callback=_server,
    help="Address of the Moorage server.",
)
@click.option(
    "--tls-ca",
    envvar="MOORAGE_TLS_CA",
    metavar="FILE",
    show_envvar=True,
    help="Authorities of the server's certificate, PEM; without: plain text.",
)
@click.option(
    "--tls-cert",
    envvar="MOORAGE_TLS_CLIENT_CERT",
    metavar="FILE",
    show_envvar=True,
    help="Certificate of this controller, which is a collector; read again when it changes.",
)
@click.option(
    "--tls-key",
    envvar="MOORAGE_TLS_CLIENT_KEY",
    metavar="FILE",
    show_envvar=True,
    help="Its key.",
)
@click.option(
    "--token-file",
    envvar="MOORAGE_TOKEN_FILE",
    metavar="FILE",
    show_envvar=True,
    help="Bearer token of this controller, instead of a certificate; read again when it changes.",
)
@click.option(
    "--vrf",
    envvar="MOORAGE_VRF",
    default=names.DEFAULT_VRF,
    show_default=True,
    show_envvar=True,
    help="The VRF of the cluster's nodes and pods.",
)
@click.option(
    "--cluster-name",
    envvar="MOORAGE_CLUSTER_NAME",
    metavar="NAME",
    required=True,
    show_envvar=True,
    callback=_cluster_name,
    help="The name of this cluster, for people: its nodes are labelled with it.",
)
@click.option(
    "--cluster-uid",
    envvar="MOORAGE_CLUSTER_UID",
    metavar="UID",
    show_envvar=True,
    callback=_cluster_uid,
    help="The uid that this cluster's network configuration says; default: that of kube-system.",
)
@click.option(
    "--grace",
    type=_Duration(_LEAST_GRACE, _MOST_GRACE),
    default="10m",
    show_default=True,
    help="Release what belongs to no pod for so long; half of it must suffice to list everything.",
)
@click.option(
    "--every",
    type=_Duration(1, 3600),
    default="1m",
    show_default=True,
    help="How often to look.",
)
@click.option(
    "--kubeconfig",
    "file",
    envvar="KUBECONFIG",
    metavar="FILE",
    show_envvar=True,
    help="Where the Kubernetes API is; default: the service account of this pod.",
)
@click.option(
    "--lease-namespace",
    metavar="NAME",
    help="Namespace of the lease; default: that of this pod.",
)
@click.option("--lease-name", default="moorage-controller", show_default=True, metavar="NAME")
def command(  # noqa: PLR0913 - one for each option, and most by name
    server: str,
    file: str | None,
    lease_namespace: str | None,
    lease_name: str,
    *,
    tls_ca: str | None,
    tls_cert: str | None,
    tls_key: str | None,
    token_file: str | None,
    vrf: str,
    cluster_name: str,
    cluster_uid: str,
    grace: int,
    every: int,
) -> int:
    """Run until a signal comes; return the exit code."""
    files = _files(tls_ca, tls_cert, tls_key, token_file)
    access = _access(file)
    namespace = lease_namespace or credentials.namespace_of_pod()
    if not namespace:
        raise click.UsageError("name the namespace of the lease: --lease-namespace")
    kubernetes = kube.Api(access)
    identity = f"{socket.gethostname()}_{uuid.uuid4()}"
    name = lease.Name(namespace=namespace, lease=lease_name, identity=identity)
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    # Before there are threads, so that none but this one is told.
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    with moorage.Client(server, tls=files) as client:
        controller = terms.Controller(
            client=client,
            cluster=kubernetes,
            leadership=lease.Lease(kubernetes, name),
            settings=terms.Settings(
                name=cluster_name, uid=cluster_uid, vrf=vrf, grace=grace, every=every
            ),
        )
        return _until_told(controller)


def _access(file: str | None) -> Callable[[], kubeconfig.Access]:
    try:
        access = credentials.of_kubeconfig(file) if file else credentials.of_pod()
        access()
    except credentials.NoCluster as error:
        raise click.UsageError(str(error)) from error
    except errors.CniError as error:
        raise click.UsageError(kube.told(error)) from error
    return access


def _until_told(controller: terms.Controller) -> int:
    working = threading.Thread(target=controller.run, name="controller", daemon=True)
    working.start()
    while signal.sigtimedwait(_SIGNALS, _LOOK_AGAIN) is None:
        if not working.is_alive():
            return exits.Exit.FAULT
    logging.info("stopping")
    controller.stop()
    working.join()
    return exits.Exit.OK


class _Lines(logging.Formatter):
    """One line for each record, whatever is said in it; a traceback is more than one."""

    converter = staticmethod(time.gmtime)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        """Return the line, with control characters spelled out."""
        return exits.printable(super().formatMessage(record))


def _log() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_Lines("%(asctime)s.%(msecs)03dZ %(levelname)s %(message)s", "%FT%T"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def main() -> NoReturn:
    """Run the controller with the arguments of the process."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run the controller; return its exit code, having said what went wrong."""
    _log()
    try:
        code = command.main(list(arguments), prog_name="moorage-controller", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return exits.Exit.USAGE
    return code if isinstance(code, int) else exits.Exit.OK
