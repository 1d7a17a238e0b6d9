"""moorctl show: says who holds an address."""

from __future__ import annotations

import click

from moorage import names
from moorage.ctl import columns, exits, options, render, settings
from moorage.v1 import resources_pb2


@click.command("show")
@click.option("--ip", "address", type=options.Address(), required=True, help="The address.")
@options.output(["text", "json", "yaml", "name"])
@settings.after_command
def command(where: settings.Settings, address: options.AnyAddress, output: str) -> None:
    """Say who holds an address.

    \b
      moorctl show --ip 10.0.0.7

    Exit code 3 when nobody does.
    """
    with where.connected(f"show {address}") as client:
        allocation = client.get_allocation(address, vrf=where.vrf)
    if output == "text":
        _describe(allocation)
    else:
        render.one(allocation, output)


def _describe(allocation: resources_pb2.Allocation) -> None:
    facts = {"VRF": names.vrf_of(allocation.name), **columns.cells(allocation, wide=True)}
    for title, text in facts.items():
        if text:
            click.echo(f"{title.capitalize() + ':':<12} {exits.printable(text)}")
