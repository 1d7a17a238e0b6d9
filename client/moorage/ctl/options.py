"""Options that several commands share; those of the connection are in `moorage.ctl.settings`."""

import ipaddress
from collections.abc import Callable, Sequence

import click

AnyAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
NAMESPACE_LABEL = "--namespace-label"

_Function = Callable[..., None]


def address(text: str) -> AnyAddress:
    """Return the address that a text spells; an IPv4-mapped one is the IPv4 address.

    Raises ValueError, also for a zone: it names an interface of one machine.
    """
    if "%" in text:
        raise ValueError(f"{text!r}: zones do not belong to an address; leave out the % part")
    found = ipaddress.ip_address(text)
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


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
            return address(str(value))
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


def namespace_labels() -> Callable[[_Function], _Function]:
    """Return the option for the labels of a namespace, as a sequence of pairs."""
    return click.option(
        NAMESPACE_LABEL,
        "namespace_labels",
        type=_Pair(),
        multiple=True,
        metavar="KEY=VALUE",
        help="A label of the namespace, for the namespace selectors of pools; repeatable.",
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
