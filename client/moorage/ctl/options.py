"""Options that several commands share; those of the connection are in `moorage.ctl.settings`."""

import ipaddress
from collections.abc import Callable, Sequence

import click

AnyAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
_Function = Callable[..., None]


class Address(click.ParamType[AnyAddress]):
    """An IP address on the command line."""

    name = "address"

    def convert(
        self,
        value: str | AnyAddress,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> AnyAddress:
        """Return the address that `value` spells."""
        try:
            return ipaddress.ip_address(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class _Pair(click.ParamType[tuple[str, str]]):
    name = "key=value"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        key, separator, text = value.partition("=")
        if not separator or not key:
            self.fail(f"{value!r} is not KEY=VALUE", param, ctx)
        return key, text


def manifests(*, required: bool) -> Callable[[_Function], _Function]:
    """Return the option that names manifests, as `sources`."""
    return click.option(
        "-f",
        "--filename",
        "sources",
        required=required,
        multiple=True,
        metavar="FILE|DIR|-",
        help="Manifests: a file, a directory of *.yaml, *.yml and *.json, or standard input.",
    )


def output(formats: Sequence[str]) -> Callable[[_Function], _Function]:
    """Return the option that chooses a format; the first one is the default."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(formats),
        default=formats[0],
        help=f"Default: {formats[0]}. With json, errors are JSON as well.",
    )


def labels(text: str) -> Callable[[_Function], _Function]:
    """Return the option for labels, as a sequence of pairs."""
    return click.option(
        "-l", "--label", "labels", type=_Pair(), multiple=True, metavar="KEY=VALUE", help=text
    )


def attachment(*, required: bool) -> Callable[[_Function], _Function]:
    """Return the options for `container_id`, `network` and `interface`."""

    def decorate(function: _Function) -> _Function:
        for option in (
            click.option("--interface", default="eth0", show_default=True, metavar="NAME"),
            click.option("--network", default="default", show_default=True, metavar="NAME"),
            click.option("--container-id", required=required, metavar="ID"),
        ):
            function = option(function)
        return function

    return decorate
