"""moorctl sticky delete: gives addresses up that are kept for their owners."""

from __future__ import annotations

from collections.abc import Sequence

import click

from moorage.ctl import dry_runs, exits, options, settings


@click.command("delete")
@click.argument("addresses", nargs=-1, required=True, type=options.Address(), metavar="ADDRESS...")
@dry_runs.refused("delete sticky addresses", "see what is kept: moorctl sticky list")
@settings.after_command
def command(where: settings.Settings, addresses: Sequence[options.AnyAddress]) -> None:
    """Give addresses up that are kept for their owners.

    Each is free for everybody once its cool-down is over. Stops at the first failure.
    """
    with where.connected("delete sticky addresses") as client:
        for address in addresses:
            with exits.doing(f"delete sticky address {address}", where.server):
                client.delete_sticky_address(address, vrf=where.vrf)
            click.echo(f"stickyaddress/{address} deleted")
