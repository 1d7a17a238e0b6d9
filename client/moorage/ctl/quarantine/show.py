"""moorctl quarantine show: why a VRF assigns nothing new, and what it waits for."""

from __future__ import annotations

from collections.abc import Iterator

import click
from google.protobuf import json_format

from moorage.ctl import exits, options, render, settings
from moorage.ctl.quarantine import causes
from moorage.v1 import admin_service_pb2

_ANY = "any"


@click.command("show")
@options.output(["text", "json"])
@settings.after_command
def command(where: settings.Settings, output: str) -> None:
    """Show why a VRF assigns nothing new, whose list is missing, and what is held by nobody."""
    with where.connected(f"show the quarantine of vrf/{where.vrf}") as client:
        found = client.get_quarantine(vrf=where.vrf)
    if output == "json":
        click.echo(exits.json_text(json_format.MessageToDict(found)))
    elif not found.quarantines:
        exits.note(f"vrf/{where.vrf} is in no quarantine")
    else:
        for line in _lines(found, where.vrf):
            click.echo(exits.printable(line))


def _lines(found: admin_service_pb2.GetQuarantineResponse, vrf: str) -> Iterator[str]:
    for each in found.quarantines:
        since = each.begin_time.ToDatetime().isoformat(timespec="seconds") + "Z"
        yield f"vrf/{vrf} in quarantine since {since}: {causes.name(each)}: {each.message}"
    if found.awaited_count:
        yield f"lists awaited: {found.awaited_count}"
        rows = [[e.node, e.cluster or _ANY, e.network or _ANY] for e in found.awaited]
        yield from _table(["NODE", "CLUSTER", "NETWORK"], rows, found.awaited_count)
    if found.unknown_count:
        yield f"named by lists, and held by nobody: {found.unknown_count}"
        named = [(each, each.attachment) for each in found.unknown]
        rows = [[of.node, it.network, it.container_id, it.interface] for of, it in named]
        header = ["NODE", "NETWORK", "CONTAINER", "INTERFACE"]
        yield from _table(header, rows, found.unknown_count)


def _table(header: list[str], rows: list[list[str]], count: int) -> Iterator[str]:
    yield from (f"  {line}" for line in render.aligned([header, *rows]))
    if len(rows) < count:
        yield f"  and {count - len(rows)} more"
