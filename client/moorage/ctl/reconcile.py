"""moorctl reconcile: releases what a node does not have any more."""

from __future__ import annotations

import collections
import re
import time

import click
from google.protobuf import json_format

import moorage
from moorage.ctl import clusters, dry_runs, exits, kinds, node_lists, options, settings
from moorage.ctl.ipam import files
from moorage.v1 import filter_pb2, reconciliation_pb2, resources_pb2

_UNITS = {"s": 1, "m": 60, "h": 3600}


class _Duration(click.ParamType[int]):
    """A number of seconds, minutes or hours."""

    name = "duration"

    def convert(
        self, value: str | int, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Return how many seconds it is."""
        match = re.fullmatch(r"([0-9]{1,5})([smh]?)", str(value))
        if match is None:
            self.fail(f"{value!r} is not a duration such as 90s, 10m or 1h", param, ctx)
        return int(match[1]) * _UNITS[match[2] or "s"]


@click.command("reconcile")
@click.argument("source", metavar="FILE|-")
@click.option("--node", required=True, metavar="NAME", help="The node that the list is of.")
@clusters.option("The cluster of the node: only what was assigned for it counts.")
@click.option("--network", default="", metavar="NAME", help="Only attachments of this network.")
@click.option(
    "--interface",
    default="eth0",
    show_default=True,
    metavar="NAME",
    help="The interface of the sandboxes that crictl lists.",
)
@click.option(
    "--grace",
    type=_Duration(),
    default="10m",
    show_default=True,
    help="Release what was missing for so long.",
)
@dry_runs.unless_applied("Do it; else it is only shown.")
@options.output(["text", "json"])
@settings.after_command
@click.pass_context
def command(
    ctx: click.Context,
    /,
    where: settings.Settings,
    source: str,
    cluster: str | None,
    grace: int,
    applies: bool,
    output: str,
    **of: str,
) -> None:
    """Release what a node does not have any more, by the complete list of what it has.

    \b
      cluster=$(kubectl get namespace kube-system -o jsonpath='{.metadata.uid}')
      moorctl reconcile --node n1 --network pods --cluster "$cluster" sandboxes.json
      crictl pods -o json |
        moorctl reconcile --node n1 --network pods --cluster "$cluster" --apply -

    What the list lacks is suspect at first; it is released when another list lacks it too, and no
    list in between had it, for the whole grace. So nothing is released by a single list: run this
    every few minutes. Every sandbox that is listed counts, also one that is not ready.

    The list may also be {"attachments": [{"network", "containerId", "interface"}]}. It must be
    complete and fresh: a file that is older than half of the grace is refused. The grace must be
    longer than an address is held before the list has its sandbox.

    Without --cluster, only what was assigned for no cluster counts, and nothing is done where the
    node holds anything for one. Of a cluster that is no more, the uid that its addresses have is
    shown by `moorctl get allocations -o yaml`.

    Exit code 1 when something could not be done; then run it again.
    """
    node, network = of["node"], of["network"]
    listed = node_lists.read(source, network=network, interface=of["interface"])
    _refuse_old(source, grace)
    with where.connected(f"reconcile node/{node}") as client:
        uid = _judged(_held(client, where.vrf, node), cluster, node)
        done = client.reconcile_node(
            node,
            listed,
            cluster=uid,
            network=network,
            grace=grace,
            validate_only=not applies,
            vrf=where.vrf,
        )
    if output == "json":
        click.echo(exits.json_text(json_format.MessageToDict(done)))
    else:
        _show(done, applies=applies)
    ctx.exit(exits.Exit.DIFFERENT if done.failures else exits.Exit.OK)


def _held(client: moorage.Client, vrf: str, node: str) -> collections.Counter[str]:
    """Return how many addresses of what lives and ends with a sandbox each cluster holds there."""
    wanted = filter_pb2.AllocationFilter(workload=resources_pb2.Workload(node=node))
    found = client.allocations(wanted, vrf=vrf, page_size=1000)
    return clusters.count(each for each in found if each.use == resources_pb2.USE_WORKLOAD)


def _judged(held: collections.Counter[str], cluster: str | None, node: str) -> str:
    """Return the cluster that is meant; raises exits.Failed where that cannot be the one."""
    others = {uid: number for uid, number in held.items() if uid != (cluster or "")}
    if others and cluster is None:
        raise clusters.refused(held, holder=f"node {node}")
    if others:
        left = ", ".join(f"{uid or clusters.NONE} ({number})" for uid, number in others.items())
        exits.note(f"left alone, being of cluster {left}")
    return cluster or ""


def _refuse_old(source: str, grace: int) -> None:
    age = time.time() - files.moment(source)
    if age > grace / 2:
        raise exits.refused(
            f"{source} was written {age:.0f} seconds ago, and what began since is not in it; "
            "make the list anew, at most half the grace before it is used"
        )


def _show(done: reconciliation_pb2.ReconcileNodeResponse, *, applies: bool) -> None:
    verb = "released" if applies else "would be released"
    for state, allocations in (("suspect", done.suspects), (verb, done.released)):
        for allocation in allocations:
            click.echo(exits.printable(f"{kinds.label_of(allocation)} {state}{_of(allocation)}"))
    for failure in done.failures:
        who = _who(failure.attachment)
        click.echo(exits.printable(f"{who} failed: {failure.refusal.message}"))
    for each in done.unknown:
        click.echo(exits.printable(f"{_who(each)} unknown: it has addresses that nobody holds"))
    exits.note(
        f"{done.confirmed_count} confirmed, {len(done.suspects)} suspect, "
        f"{len(done.released)} {verb}, {len(done.failures)} failed"
    )
    if not applies:
        exits.note("nothing was changed; add --apply to do it")


def _who(attachment: resources_pb2.Attachment) -> str:
    return f"attachment/{attachment.network}/{attachment.container_id}/{attachment.interface}"


def _of(allocation: resources_pb2.Allocation) -> str:
    workload, attachment = allocation.workload, allocation.attachment
    pod = f", pod {workload.namespace}/{workload.pod}" if workload.pod else ""
    return f" (container {attachment.container_id} on {attachment.interface}{pod})"
