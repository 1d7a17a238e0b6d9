"""moorctl sticky list: which addresses are kept, for whom and until when."""

from __future__ import annotations

import click
from google.protobuf import json_format

from moorage import names
from moorage.ctl import exits, options, render, settings
from moorage.v1 import reconciliation_pb2

_HEADER = ["ADDRESS", "POOL", "OWNER", "NETWORK", "INTERFACE", "EXPIRES"]


@click.command("list")
@click.option("--owner", default="", help="Only of this owner key.")
@options.output(["table", "json"])
@settings.after_command
def command(where: settings.Settings, owner: str, output: str) -> None:
    """List the addresses that are kept for their owners, in order.

    With -o json there is one object on each line.
    """
    with where.connected("list sticky addresses") as client:
        found = list(client.sticky_addresses(owner_key=owner, vrf=where.vrf))
    if output == "json":
        for each in found:
            click.echo(exits.json_text(json_format.MessageToDict(each), indent=None))
    elif not found:
        exits.note("there are no sticky addresses to show")
    else:
        for line in render.aligned([_HEADER, *map(_row, found)]):
            click.echo(line)


def _row(kept: reconciliation_pb2.StickyAddress) -> list[str]:
    expires = kept.expire_time.ToDatetime().isoformat(timespec="seconds") + "Z"
    pool = names.id_of(kept.pool)
    return [kept.address, pool, kept.owner_key, kept.network, kept.interface, expires]
