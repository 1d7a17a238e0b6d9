"""moorctl get: shows resources and allocations."""

from __future__ import annotations

from collections.abc import Sequence

import click

import moorage
from moorage import names
from moorage.ctl import (
    calico,
    calico_configuration,
    calico_writing,
    columns,
    exits,
    filters,
    following,
    kinds,
    options,
    render,
    settings,
    suggestions,
)
from moorage.v1 import filter_pb2

_Asked = kinds.Kind | calico.Kind
_KINDS: dict[str, _Asked] = {**kinds.spellings(tuple(kinds.Kind)), **calico.NAMES}
_LISTED = [kind.plural for kind in kinds.Kind]


@click.command("get")
@click.argument("kind", type=kinds.Choice(_KINDS, _LISTED))
@click.argument("name", required=False, shell_complete=suggestions.of_chosen)
@options.output(render.FORMATS)
@options.labels("Only what carries this label; repeatable.")
@filters.options
@click.option("-w", "--watch", "watching", is_flag=True, help="Allocations: then every change.")
@settings.after_command
def command(
    where: settings.Settings,
    kind: _Asked,
    name: str | None,
    output: str,
    labels: Sequence[tuple[str, str]],
    pools: Sequence[str],
    watching: bool,
    **narrowed: str,
) -> None:
    """Show resources of a kind, or one by name.

    KIND is one of vrfs, nodes, pools, reservations and allocations, singular or plural.

    \b
      moorctl get pools
      moorctl get pool web -o yaml
      moorctl get allocations --namespace shop --node n1 -o json
      moorctl get allocations --pool web --watch

    With -o yaml and -o json, all but allocations are shown as manifests for `moorctl apply`. As
    ippools, ipreservations and ipamconfigurations, pools, reservations and the configuration of
    the VRF are shown as manifests of Calico.

    With --watch, what is held is followed by every change, until Ctrl-C; a server that goes and
    comes back within --timeout interrupts nothing. With -o json, there is an event of the contract
    on each line; those of what was held before have no kind. Prefixes and gateways are not told.
    """
    if (pools or any(narrowed.values())) and (
        name is not None or kind is not kinds.Kind.ALLOCATION
    ):
        raise click.UsageError("these filters are for a listing of allocations")
    if name is not None and labels:
        raise click.UsageError("a label narrows down a listing; leave it or the name out")
    if watching:
        _refuse_to_watch(kind, output)
    own, form = _own(kind)
    wanted = f"{kind.value}/{name}" if name is not None else own.plural
    with where.connected(f"get {wanted}") as client:
        if kind is calico.Kind.IPAM_CONFIGURATION:
            _show_configuration(client, where.vrf, name, labels, output)
        elif watching:
            _watch(client, where, filters.made(pools, dict(labels), narrowed), name, output)
        elif name is not None:
            render.one(_fetch(client, own, name, where.vrf), output, form)
        elif own is kinds.Kind.ALLOCATION:
            found = filters.made(pools, dict(labels), narrowed)
            render.many(own, client.allocations(found, vrf=where.vrf), output, form)
        else:
            render.many(own, kinds.listing(client, own, dict(labels), where.vrf), output, form)


def _refuse_to_watch(kind: _Asked, output: str) -> None:
    if kind is not kinds.Kind.ALLOCATION:
        raise click.UsageError("only allocations can be watched")
    if output not in following.FORMATS:
        raise click.UsageError(f"a {output} does not say what happened; leave --watch or -o out")


def _watch(
    client: moorage.Client,
    where: settings.Settings,
    wanted: filter_pb2.AllocationFilter,
    address: str | None,
    output: str,
) -> None:
    vrf = where.vrf
    if address is not None:
        vrf, wanted.cidr = names.vrf_of(names.allocation(address, vrf)), names.id_of(address)
    with client.watch(wanted, vrf=vrf, timeout=where.timeout) as updates:
        for line in following.lines(updates, output):
            click.echo(line)


def _own(kind: _Asked) -> tuple[kinds.Kind, render.Form]:
    """Return the kind of Moorage that was asked for, and the form to show it in."""
    if isinstance(kind, kinds.Kind):
        return kind, render.OWN
    title = f"{kind.value}List"
    return kind.counterpart, render.Form(
        document=_calico_document, api_version=calico.V3, title=title
    )


def _calico_document(resource: columns.Shown) -> dict[str, object]:
    missed = calico_writing.left_out(resource)
    if missed:
        label = kinds.label_of(resource)
        exits.note(f"{label}: Calico has no word for {', '.join(missed)}, which is left out here")
    return calico_writing.write(resource)


def _show_configuration(
    client: moorage.Client,
    vrf: str,
    name: str | None,
    labels: Sequence[tuple[str, str]],
    output: str,
) -> None:
    """Show the configuration of a VRF, as the only IPAMConfiguration that there is in it."""
    if labels:
        raise click.UsageError("an IPAMConfiguration has no labels; leave them out")
    if name not in (None, calico_configuration.NAME):
        only = calico_configuration.NAME
        raise click.UsageError(f"the IPAMConfiguration of a VRF is named {only!r}; see --vrf")
    own, form = _own(calico.Kind.IPAM_CONFIGURATION)
    found = client.get_vrf(vrf)
    if name is None:
        render.many(own, [found], output, form)
    else:
        render.one(found, output, form)


def _fetch(client: moorage.Client, kind: kinds.Kind, name: str, vrf: str) -> columns.Shown:
    if kind is kinds.Kind.ALLOCATION:
        return client.get_allocation(name, vrf=vrf)
    return kinds.fetch(client, kind, name, vrf)
