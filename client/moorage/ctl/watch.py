"""moorctl watch: what is held, and then every change, a line for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click
from google.protobuf import json_format

from moorage import names
from moorage.ctl import exits, filters, options, settings, specs
from moorage.v1 import history_pb2, resources_pb2

if TYPE_CHECKING:
    from moorage import watch  # which loads gRPC: help does without


class _Cursor(click.ParamType[history_pb2.Cursor]):
    name = "epoch/revision"

    def convert(
        self,
        value: str | history_pb2.Cursor,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> history_pb2.Cursor:
        epoch, _, revision = str(value).rpartition("/")
        if not epoch or not revision.isdecimal() or len(revision) > 18:
            self.fail(f"{value!r} is not EPOCH/REVISION", param, ctx)
        return history_pb2.Cursor(epoch=epoch, revision=int(revision))


@click.command("watch")
@options.output(["text", "json"])
@options.labels("Only what carries this label; repeatable.")
@filters.options
@click.option("--cursor", type=_Cursor(), metavar="EPOCH/REVISION", help="Only what came after.")
@settings.after_command
def command(
    where: settings.Settings,
    output: str,
    labels: Sequence[tuple[str, str]],
    pools: Sequence[str],
    cursor: history_pb2.Cursor | None,
    **narrowed: str,
) -> None:
    """Say what is held, and then every change, until Ctrl-C.

    \b
      moorctl watch --namespace shop
      moorctl watch -o json | jq .cursor

    A broken connection is made again, and nothing is missed. With -o json, each line is a message
    of the contract, with the cursor to come back with.
    """
    wanted = filters.made(pools, dict(labels), narrowed)
    with (
        where.connected("watch allocations") as client,
        client.watch(wanted, cursor=cursor, vrf=where.vrf, timeout=where.timeout) as updates,
    ):
        for update in updates:
            for line in _json(update) if output == "json" else _text(update):
                click.echo(line)


def _json(update: watch.Update) -> Iterator[str]:
    message = history_pb2.WatchAllocationsResponse(
        held=update.held, events=update.events, cursor=update.cursor
    )
    yield exits.json_printable(json_format.MessageToJson(message, indent=None, ensure_ascii=False))


def _text(update: watch.Update) -> Iterator[str]:
    for allocation in update.held or ():
        yield _line("HELD", allocation, allocation.assign_time.ToJsonString())
    for event in update.events:
        kind = specs.short_name(history_pb2.AllocationEventKind.DESCRIPTOR, event.kind)
        yield _line(kind, event.allocation, event.event_time.ToJsonString())


def _line(kind: str, allocation: resources_pb2.Allocation, time: str) -> str:
    workload, attachment = allocation.workload, allocation.attachment
    pod = f"{workload.namespace}/{workload.pod}" if workload.pod else ""
    facts = (pod, workload.node, allocation.owner_key, names.id_of(allocation.pool))
    who = [text or "-" for text in (*facts, attachment.container_id)]
    return exits.printable(f"{time}  {kind:<8}  {allocation.address:<15}  {'  '.join(who)}")
