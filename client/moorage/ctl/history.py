"""moorctl history: says who held addresses, and when."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable

import click
from google.protobuf import json_format

import moorage
from moorage import names
from moorage.ctl import actors, exits, options, render, settings, times
from moorage.v1 import filter_pb2, history_pb2, resources_pb2

_HEADER = [
    "ADDRESS", "POOL", "NODE", "NAMESPACE", "POD", "OWNER", "CONTAINER", "ASSIGNED", "RELEASED",
]  # fmt: skip
_WIDE = ["ASSIGNED-BY", "RELEASED-BY"]

_Function = Callable[..., None]


def _whose(function: _Function) -> _Function:
    """Add the options that say whose history is meant."""
    for name, metavar, text in (
        ("--container-id", "ID", "Of this container."),
        ("--owner", "KEY", "Of this owner key."),
        ("--node", "NAME", "Of this node."),
        ("--cluster", "UID", "Of the cluster of this uid."),
        ("--pod", "NAMESPACE/NAME", "Of this pod."),
        ("--cidr", "CIDR", "Of addresses inside this CIDR."),
    ):
        function = click.option(name, default="", metavar=metavar, help=text)(function)
    return function


@click.command("history")
@click.option("--ip", "address", type=options.Address(), help="Of this address.")
@_whose
@click.option("--at", type=times.Time(), help="What was held at this moment.")
@click.option("--since", type=times.Time(), help="What was held at any moment from here on.")
@click.option("--until", type=times.Time(), help="What was held at any moment before.")
@options.output(["table", "wide", "json", "yaml"])
@settings.after_command
def command(
    where: settings.Settings,
    address: options.AnyAddress | None,
    at: datetime.datetime | None,
    since: datetime.datetime | None,
    until: datetime.datetime | None,
    output: str,
    **whose: str,
) -> None:
    """Say who held addresses, and when.

    \b
      moorctl history --ip 10.0.0.7 --at 2030-01-31T12:00:00Z
      moorctl history --ip 10.0.0.7 --since -2d
      moorctl history --pod shop/cart-0 -o json

    A time is as above, or so long before now: -30s, -5m, -2h, -3d, -1w. With --ip and --at, says in
    one line who held the address then; exit code 3 when nobody did, or nobody knows any more.

    With -o wide, also by whom it was assigned and released; json and yaml say how they were known,
    from where they called, and in which request.
    """
    if at and (since or until):
        raise click.UsageError("give --at, or --since and --until")
    asked = _filter(address, whose)
    with where.connected("show the history") as client:
        found = client.history(asked, at=at, start=since, end=until, vrf=where.vrf)
        if address and at:
            found = iter([next(found, None) or _nobody(client, where.vrf, address, at)])
        if output in {"json", "yaml"}:
            render.listed("holdings", map(json_format.MessageToDict, found), output)
        elif address and at:
            click.echo(exits.printable(_sentence(next(found))))
        else:
            _table(found, wide=output == "wide")


def _filter(
    address: options.AnyAddress | None, whose: dict[str, str]
) -> filter_pb2.AllocationFilter:
    if address and whose["cidr"]:
        raise click.UsageError("give either --ip or --cidr")
    namespace, separator, pod = whose["pod"].partition("/")
    if whose["pod"] and not (separator and namespace and pod):
        raise click.BadParameter(f"{whose['pod']!r} is not NAMESPACE/NAME", param_hint="--pod")
    return filter_pb2.AllocationFilter(
        cidr=str(address) if address else whose["cidr"],
        attachment=resources_pb2.Attachment(container_id=whose["container_id"]),
        workload=resources_pb2.Workload(
            node=whose["node"], namespace=namespace, pod=pod, cluster=whose["cluster"]
        ),
        owner_key=whose["owner"],
    )


def _nobody(
    client: moorage.Client, vrf: str, address: options.AnyAddress, at: datetime.datetime
) -> history_pb2.Holding:
    """Raise that nobody held the address, or that it is not known any more."""
    known = client.history_known_since(vrf=vrf)
    if at < known:
        reason = "HISTORY_NOT_KEPT"
        message = (
            f"it is not known who held {address} at {times.spelled(at)}: "
            f"the history goes back to {times.spelled(known)}"
        )
    else:
        reason = "NOT_HELD"
        message = f"nobody held {address} at {times.spelled(at)}"
    raise exits.Failed(
        exits.Report(
            code="NOT_FOUND",
            reason=reason,
            message=message,
            metadata={"address": str(address), "vrf": vrf},
            next_step=f"see its whole history: moorctl history --ip {address}",
            exit=exits.Exit.NOT_FOUND,
        )
    )


def _sentence(holding: history_pb2.Holding) -> str:
    held = holding.allocation
    workload, attachment = held.workload, held.attachment
    who = [f"container {attachment.container_id}, {attachment.interface}"]
    who += [f"node {workload.node}"] if workload.node else []
    who += [f"owner {held.owner_key}"] if held.owner_key else []
    holder = f"{workload.namespace}/{workload.pod}" if workload.pod else "no pod"
    who_text, start = f"{holder} ({'; '.join(who)})", times.spelled(held.assign_time)
    if not _released(holding):
        return f"{held.address} is held by {who_text} since {start}"
    return f"{held.address} was held by {who_text} from {start} until {_released(holding)}"


def _table(found: Iterable[history_pb2.Holding], *, wide: bool) -> None:
    rows = [[*_row(each), *(_by(each) if wide else ())] for each in found]
    if not rows:
        exits.note("there are no holdings to show")
        return
    for line in render.aligned([[*_HEADER, *(_WIDE if wide else ())], *rows]):
        click.echo(line)


def _row(holding: history_pb2.Holding) -> list[str]:
    held, workload = holding.allocation, holding.allocation.workload
    return [
        held.address,
        names.id_of(held.pool),
        workload.node,
        workload.namespace,
        workload.pod,
        held.owner_key,
        held.attachment.container_id,
        times.spelled(held.assign_time),
        _released(holding),
    ]


def _by(holding: history_pb2.Holding) -> list[str]:
    return [actors.shown(holding.assign_actor), actors.shown(holding.release_actor)]


def _released(holding: history_pb2.Holding) -> str:
    return times.spelled(holding.release_time) if holding.HasField("release_time") else ""
