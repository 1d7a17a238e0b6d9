"""Which server moorctl speaks to, for how long, and in which VRF.

An option after the command wins over one before it, that one over a context that an option names,
that over the environment, the environment over the context in use, and that over the default.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import math
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import click
from click.core import ParameterSource

import moorage
from moorage import names, targets, tls
from moorage.ctl import contexts, exits

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
    "token_file": "MOORAGE_TOKEN_FILE",
}

_CONTEXT_VARIABLE = "MOORAGE_CONTEXT"

_Function = Callable[..., None]


class Rank(enum.IntEnum):
    """Whose word on a setting counts: the highest, and of two alike the last."""

    DEFAULT = 0
    CONTEXT_IN_USE = 1
    ENVIRONMENT = 2
    CONTEXT = 3
    OPTION = 4


@dataclasses.dataclass(frozen=True, slots=True)
class Origin:
    """Where a setting was said."""

    rank: Rank
    text: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the connection options say."""

    server: str = names.DEFAULT_SERVER
    timeout: float = DEFAULT_TIMEOUT
    vrf: str = names.DEFAULT_VRF
    tls_ca: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    token_file: str = ""
    origins: Mapping[str, Origin] = dataclasses.field(default_factory=dict)

    def origin(self, name: str) -> Origin:
        """Where the setting of a field was said."""
        return self.origins.get(name, Origin(Rank.DEFAULT, "default"))

    def told(self, name: str, value: str | float, origin: Origin) -> Settings:
        """These settings, with one of them from there if that counts as much as what it is."""
        if origin.rank < self.origin(name).rank:
            return self
        values: dict[str, Any] = {name: value, "origins": {**self.origins, name: origin}}
        return dataclasses.replace(self, **values)

    def without_context(self) -> Settings:
        """These settings as they would be had no context been chosen."""
        kept = {
            name: origin
            for name, origin in self.origins.items()
            if origin.rank not in (Rank.CONTEXT, Rank.CONTEXT_IN_USE)
        }
        values = {name: getattr(self, name) for name in kept}
        return Settings(**values, origins=kept)

    @contextlib.contextmanager
    def connected(self, action: str) -> Iterator[moorage.Client]:
        """Give a client; a call that fails inside is reported as "cannot <action>: ..."."""
        # What gRPC would write to standard error by itself is also in the error that it raises.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        try:
            files = tls.of(self.tls_ca, self.tls_cert, self.tls_key, self.token_file)
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


FIELDS = tuple(_VARIABLES)
_KINDS: dict[str, click.ParamType[Any]] = {
    "server": _Target(),
    "timeout": _Seconds(),
    "vrf": click.STRING,
    "tls-ca": _FILE,
    "tls-cert": _FILE,
    "tls-key": _FILE,
    "token-file": _FILE,
}


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
        file=f"File of a bearer token to show. [{_VARIABLES['token_file']}]",
        context=f"Settings of a context, see `moorctl config -h`. [{_CONTEXT_VARIABLE}]",
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
        file="Likewise.",
        context="Likewise.",
        is_first=False,
    )
    return click.pass_obj(decorated)


def _options(function: _Function, *, is_first: bool, **texts: str) -> _Function:
    for name, kind in reversed(_KINDS.items()):
        variable = _VARIABLES[name.replace("-", "_")] if is_first else None
        text = texts[name.rpartition("-")[2]]
        option = click.option(
            f"--{name}", type=kind, help=text, envvar=variable, expose_value=False, callback=_keep
        )
        function = option(function)
    return click.option(
        "--context",
        metavar="NAME",
        # Before all others, which may overrule it.
        is_eager=True,
        help=texts["context"],
        envvar=_CONTEXT_VARIABLE if is_first else None,
        expose_value=False,
        callback=_choose,
    )(function)


def _keep(ctx: click.Context, param: click.Parameter, value: str | float | None) -> None:
    if value is None:
        return
    name = str(param.name)
    is_variable = ctx.get_parameter_source(name) is ParameterSource.ENVIRONMENT
    if is_variable:
        origin = Origin(Rank.ENVIRONMENT, f"environment, {_VARIABLES[name]}")
    else:
        origin = Origin(Rank.OPTION, f"option, {param.opts[0]}")
    ctx.obj = _settings(ctx).told(name, value, origin)


def _choose(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    """Take over what a context says; before the command, of the one in use where none is named."""
    if value is None and ctx.parent is None:
        value = contexts.in_use()
    if not value:
        return
    is_option = ctx.get_parameter_source(str(param.name)) is ParameterSource.COMMANDLINE
    rank = Rank.CONTEXT if is_option else Rank.CONTEXT_IN_USE
    origin = Origin(rank, f"context {value} of {contexts.path()}")
    found = _settings(ctx).without_context()
    for key, text in contexts.find(value).items():
        found = found.told(key.replace("-", "_"), _converted(key, text, origin), origin)
    ctx.obj = found


def _converted(key: str, text: str, origin: Origin) -> str | float:
    try:
        converted: str | float = _KINDS[key].convert(text, None, None)
    except click.BadParameter as error:
        raise exits.refused(f"{origin.text}: {key}: {error.message}") from error
    return converted


def _settings(ctx: click.Context) -> Settings:
    return ctx.obj or Settings()
