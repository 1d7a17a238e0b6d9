"""moorctl audit: says who changed what of what is administered, and when."""

from __future__ import annotations

import datetime
from collections.abc import Iterable

import click
from google.protobuf import json_format, struct_pb2

from moorage.ctl import actors, exits, options, render, settings, times
from moorage.v1 import audit_pb2

HEADER = ["TIME", "WHO", "FROM", "METHOD", "KIND", "NAME", "CHANGED"]
_PREFIX = "CHANGE_KIND_"
_KINDS = [
    name.removeprefix(_PREFIX).lower().replace("_", "-")
    for name, number in audit_pb2.ChangeKind.items()
    if number
]


@click.command("audit")
@click.option("--kind", type=click.Choice(_KINDS), help="Of this kind.")
@click.option("--name", default="", metavar="NAME", help="Of what has this name in the VRF.")
@click.option("--since", type=times.Time(), help="What was changed from here on.")
@click.option("--until", type=times.Time(), help="What was changed before.")
@options.output(["table", "json", "yaml"])
@settings.after_command
def command(
    where: settings.Settings,
    kind: str | None,
    name: str,
    since: datetime.datetime | None,
    until: datetime.datetime | None,
    output: str,
) -> None:
    """Say who changed VRFs, pools, reservations, nodes and blocks, the newest first.

    \b
      moorctl audit --since -1d
      moorctl audit --kind pool --name web -o json

    A time is as 2030-01-31T12:00:00Z, or so long before now: -30s, -5m, -2h, -3d, -1w. Parts of the
    server are in brackets. Who was given addresses, and by whom: moorctl history -o wide.
    """
    wanted = _number(kind) if kind else audit_pb2.CHANGE_KIND_UNSPECIFIED
    with where.connected("list changes") as client:
        found = client.changes(wanted, name, start=since, end=until, vrf=where.vrf)
        if output != "table":
            render.listed("changes", map(json_format.MessageToDict, found), output)
        else:
            _table(found)


def _number(kind: str) -> audit_pb2.ChangeKind.ValueType:
    return audit_pb2.ChangeKind.Value(f"{_PREFIX}{kind.upper().replace('-', '_')}")


def _table(found: Iterable[audit_pb2.Change]) -> None:
    rows = [row(each) for each in found]
    if not rows:
        exits.note("there are no changes to show")
        return
    for line in render.aligned([HEADER, *rows]):
        click.echo(line)


def row(change: audit_pb2.Change) -> list[str]:
    """Return what a table says of a change, below `HEADER`."""
    kind = audit_pb2.ChangeKind.Name(change.kind).removeprefix(_PREFIX)
    return [
        times.spelled(change.change_time),
        actors.shown(change.actor),
        change.actor.source,
        change.method,
        kind.lower().replace("_", "-"),
        change.resource_id,
        _changed(change.before, change.after),
    ]


def _changed(before: struct_pb2.Struct, after: struct_pb2.Struct) -> str:
    """Return the names of what became another; of what is new or gone, nothing: that is all."""
    return ",".join(sorted({*before, *after})) if before and after else ""
