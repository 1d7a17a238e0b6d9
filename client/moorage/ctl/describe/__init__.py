"""moorctl describe: all that is known of one thing, and of what has to do with it.

What is said of each kind is in the module of its name.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator

import click

import moorage
from moorage.ctl import kinds, options, settings, suggestions, times
from moorage.ctl.describe import allocation, node, pool, reservation
from moorage.ctl.describe import vrf as routing

_LISTED = [kind.value for kind in kinds.Kind]
# An address has few holders, and the last one may be long gone.
_LOOK_BACK = {kinds.Kind.ALLOCATION: datetime.timedelta(days=7)}
_LOOK_BACK_ELSE = datetime.timedelta(hours=1)


@click.command("describe")
@click.argument("kind", type=kinds.Choice(kinds.spellings(tuple(kinds.Kind)), _LISTED))
@click.argument("name", shell_complete=suggestions.of_chosen)
@click.option(
    "--since",
    type=times.Time(),
    help="Look for events from here on; default: -1h, of an allocation -7d.",
)
@settings.after_command
@click.pass_context
def command(
    ctx: click.Context,
    /,
    where: settings.Settings,
    kind: kinds.Kind,
    name: str,
    since: datetime.datetime | None,
) -> None:
    """Say all that is known of one thing, and of what has to do with it.

    What it is, how full, what refers to it, and what happened last. KIND is one of vrf, node, pool,
    reservation and allocation, singular or plural; the NAME of an allocation is its address.

    \b
      moorctl describe pool web
      moorctl describe node n1 --since -1d
      moorctl describe allocation 10.0.0.7

    For people: programs ask with `get -o json` and its like. A node is described that was never
    recorded, where it has blocks or addresses; and an address that nobody holds, with exit code 3.
    """
    back = _LOOK_BACK.get(kind, _LOOK_BACK_ELSE)
    begin = since or datetime.datetime.now(datetime.UTC) - back
    if kind is kinds.Kind.ALLOCATION and not name.startswith("vrfs/"):
        name = str(options.Address().convert(name, None, ctx))
    with where.connected(f"describe {kind.value}/{name}") as client:
        for line in _lines(client, kind, name, where.vrf, begin):
            click.echo(line)


def _lines(
    client: moorage.Client, kind: kinds.Kind, name: str, vrf: str, since: datetime.datetime
) -> Iterator[str]:
    match kind:
        case kinds.Kind.VRF:
            return routing.lines(client, client.get_vrf(name), since)
        case kinds.Kind.NODE:
            return node.lines(client, name, vrf, since)
        case kinds.Kind.POOL:
            return pool.lines(client, client.get_pool(name, vrf=vrf), since)
        case kinds.Kind.RESERVATION:
            return reservation.lines(client, client.get_reservation(name, vrf=vrf), since)
        case _:
            return allocation.lines(client, name, vrf, since)
