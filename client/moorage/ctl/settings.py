"""Which server moorctl speaks to, for how long, and in which VRF.

An option after the command wins over one before it, that one over the environment, and the
environment over the default.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
from collections.abc import Callable, Iterator

import click

import moorage
from moorage import names, targets, tls
from moorage.ctl import exits

DEFAULT_TIMEOUT = 10.0
LONGEST_TIMEOUT = 3600.0

_FILE = click.Path(dir_okay=False)
# Those of the server's own certificate, which may run on the same machine, have other names.
_VARIABLES = {
    "server": "MOORAGE_SERVER",
    "timeout": "MOORAGE_TIMEOUT",
    "vrf": "MOORAGE_VRF",
    "tls_ca": "MOORAGE_TLS_CA",
    "tls_cert": "MOORAGE_TLS_CLIENT_CERT",
    "tls_key": "MOORAGE_TLS_CLIENT_KEY",
}

_Function = Callable[..., None]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the connection options say."""

    server: str = names.DEFAULT_SERVER
    timeout: float = DEFAULT_TIMEOUT
    vrf: str = names.DEFAULT_VRF
    tls_ca: str = ""
    tls_cert: str = ""
    tls_key: str = ""

    @contextlib.contextmanager
    def connected(self, action: str) -> Iterator[moorage.Client]:
        """Give a client; a call that fails inside is reported as "cannot <action>: ..."."""
        # What gRPC would write to standard error by itself is also in the error that it raises.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        try:
            files = tls.of(self.tls_ca, self.tls_cert, self.tls_key)
            opened = moorage.Client(self.server, timeout=self.timeout, tls=files)
        except tls.Unusable as error:
            raise exits.refused(f"cannot {action}: {error}") from error
        with exits.doing(action, self.server), opened as client:
            yield client


class _Target(click.ParamType[str]):
    """Where a server is."""

    name = "text"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return it as it is, once it can be one."""
        try:
            targets.uri(value)
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)
        return value


class _Seconds(click.ParamType[float]):
    name = "seconds"

    def convert(
        self, value: str | float, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        try:
            seconds = float(value)
        except ValueError:
            seconds = math.nan
        if not 0 < seconds <= LONGEST_TIMEOUT:
            self.fail(
                f"{value!r} is not a number of seconds, up to {LONGEST_TIMEOUT:.0f}", param, ctx
            )
        return seconds


def before_command(function: _Function) -> _Function:
    """Add the options that stand before the command, with their environment variables."""
    return _options(
        function,
        server=f"Address of the server. [MOORAGE_SERVER; default: {names.DEFAULT_SERVER}]",
        timeout=f"Time for each call. [MOORAGE_TIMEOUT; default: {DEFAULT_TIMEOUT:.0f}]",
        vrf=f"VRF to work in. [MOORAGE_VRF; default: {names.DEFAULT_VRF}]",
        ca=f"Authorities of the server's certificate, PEM: TLS. [{_VARIABLES['tls_ca']}]",
        cert=f"Certificate to show. [{_VARIABLES['tls_cert']}]",
        key=f"Its key. [{_VARIABLES['tls_key']}]",
        is_first=True,
    )


def after_command(function: _Function) -> _Function:
    """Add the same options where they stand after the command, and pass the settings to it."""
    decorated = _options(
        function,
        server="As before the command.",
        timeout="Likewise.",
        vrf="Likewise.",
        ca="Likewise.",
        cert="Likewise.",
        key="Likewise.",
        is_first=False,
    )
    return click.pass_obj(decorated)


def _options(function: _Function, *, is_first: bool, **texts: str) -> _Function:
    for name, kind in (
        ("tls-key", _FILE),
        ("tls-cert", _FILE),
        ("tls-ca", _FILE),
        ("vrf", click.STRING),
        ("timeout", _Seconds()),
        ("server", _Target()),
    ):
        variable = _VARIABLES[name.replace("-", "_")] if is_first else None
        text = texts[name.removeprefix("tls-")]
        option = click.option(
            f"--{name}", type=kind, help=text, envvar=variable, expose_value=False, callback=_keep
        )
        function = option(function)
    return function


def _keep(ctx: click.Context, param: click.Parameter, value: str | float | None) -> None:
    if value is None:
        return
    settings = ctx.obj or Settings()
    ctx.obj = dataclasses.replace(settings, **{str(param.name): value})
