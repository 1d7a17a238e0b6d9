"""moorctl get: shows resources and allocations."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import click

import moorage
from moorage.ctl import columns, kinds, options, render, settings
from moorage.v1 import allocation_service_pb2, resources_pb2

_Function = Callable[..., None]


def _filters(function: _Function) -> _Function:
    """Add the options that narrow down a listing of allocations, but for the pools."""
    for name, text in (
        ("--container-id", "Only of this container."),
        ("--owner", "Only of this owner key."),
        ("--cidr", "Only inside this CIDR."),
        ("--node", "Only of this node."),
        ("--pod", "Only of this pod."),
        ("--namespace", "Only of this namespace."),
    ):
        function = click.option(name, default="", help=f"Allocations: {text.lower()}")(function)
    return function


@click.command("get")
@click.argument("kind", type=kinds.KindType(tuple(kinds.Kind)))
@click.argument("name", required=False)
@options.output(render.FORMATS)
@options.labels("Only what carries this label; repeatable.")
@click.option("--pool", "pools", multiple=True, help="Allocations: only of this pool; repeatable.")
@_filters
@settings.after_command
def command(
    where: settings.Settings,
    kind: kinds.Kind,
    name: str | None,
    output: str,
    labels: Sequence[tuple[str, str]],
    pools: Sequence[str],
    **filters: str,
) -> None:
    """Show resources of a kind, or one by name.

    KIND is one of vrfs, nodes, pools, reservations and allocations, singular or plural.

    \b
      moorctl get pools
      moorctl get pool web -o yaml
      moorctl get allocations --namespace shop --node n1 -o json

    With -o yaml and -o json, all but allocations are shown as manifests for `moorctl apply`.
    """
    if (pools or any(filters.values())) and (name is not None or kind is not kinds.Kind.ALLOCATION):
        raise click.UsageError("these filters are for a listing of allocations")
    if name is not None and labels:
        raise click.UsageError("a label narrows down a listing; leave it or the name out")
    wanted = f"{kind.value}/{name}" if name is not None else kind.plural
    with where.connected(f"get {wanted}") as client:
        if name is not None:
            render.one(_fetch(client, kind, name, where.vrf), output)
        elif kind is kinds.Kind.ALLOCATION:
            found = _filter(pools, dict(labels), filters)
            render.many(kind, client.allocations(found, vrf=where.vrf), output)
        else:
            render.many(kind, kinds.listing(client, kind, dict(labels), where.vrf), output)


def _fetch(client: moorage.Client, kind: kinds.Kind, name: str, vrf: str) -> columns.Shown:
    if kind is kinds.Kind.ALLOCATION:
        return client.get_allocation(name, vrf=vrf)
    return kinds.fetch(client, kind, name, vrf)


def _filter(
    pools: Sequence[str], labels: dict[str, str], filters: dict[str, str]
) -> allocation_service_pb2.AllocationFilter:
    return allocation_service_pb2.AllocationFilter(
        pools=pools,
        cidr=filters["cidr"],
        attachment=resources_pb2.Attachment(container_id=filters["container_id"]),
        workload=resources_pb2.Workload(
            node=filters["node"], namespace=filters["namespace"], pod=filters["pod"]
        ),
        owner_key=filters["owner"],
        labels=labels,
    )
