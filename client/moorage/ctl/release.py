"""moorctl release: releases addresses by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

import moorage
from moorage.ctl import dry_runs, exits, kinds, options, render, settings
from moorage.v1 import filter_pb2, resources_pb2

_GENERATIONS = 16  # of one call at most


@click.command("release")
@options.attachment(required=False)
@click.option(
    "--ip", "address", type=options.Address(), help="Release this address, whoever holds it."
)
@options.output(["text", "json"])
@dry_runs.refused("release addresses", "see what is held: moorctl get allocations")
@settings.after_command
def command(
    where: settings.Settings,
    address: options.AnyAddress | None,
    output: str,
    container_id: str | None,
    **attachment: str,
) -> None:
    """Release what an attachment holds, or one address.

    \b
      moorctl release --container-id c1
      moorctl release --ip 10.0.0.7

    Releasing what is not there succeeds. What is held is looked up first, and not touched if it has
    changed hands in between.
    """
    if container_id and not address:
        holder = resources_pb2.Attachment(container_id=container_id, **attachment)
        with where.connected(f"release the addresses of container {container_id}") as client:
            released = _all_of(client, holder, where.vrf)
    elif address and not container_id:
        released = _by_address(where, address)
    else:
        raise click.UsageError("give either --container-id or --ip")
    _show(released, output)


def _all_of(
    client: moorage.Client, holder: resources_pb2.Attachment, vrf: str
) -> list[resources_pb2.Allocation]:
    """Release what an attachment holds now, and nothing that it is given meanwhile."""
    wanted = filter_pb2.AllocationFilter(attachment=holder)
    found = client.allocations(wanted, vrf=vrf)
    # What the filter leaves open the attachment does not.
    generations = [each.generation for each in found if each.attachment == holder]
    return list(held_at(client, holder, generations, vrf))


def held_at(
    client: moorage.Client, holder: resources_pb2.Attachment, generations: Sequence[int], vrf: str
) -> Iterator[resources_pb2.Allocation]:
    """Release what an attachment still holds at these generations, as many as there are."""
    for start in range(0, len(generations), _GENERATIONS):
        some = generations[start : start + _GENERATIONS]
        yield from client.release(holder, generations=some, vrf=vrf)


def _by_address(
    where: settings.Settings, address: options.AnyAddress
) -> list[resources_pb2.Allocation]:
    with where.connected(f"release {address}") as client:
        held = client.get_allocation(address, vrf=where.vrf)
        released = client.release(held.attachment, generations=[held.generation], vrf=where.vrf)
    if not released:
        raise exits.Failed(_changed_hands(address))
    return released


def _changed_hands(address: options.AnyAddress) -> exits.Report:
    return exits.Report(
        code="ABORTED",
        reason="CHANGED_HANDS",
        message=f"{address} changed hands while it was being released; nothing was released",
        metadata={"address": str(address)},
        next_step=f"see who holds it now: moorctl show --ip {address}",
        exit=exits.Exit.CONFLICT,
    )


def _show(released: Sequence[resources_pb2.Allocation], output: str) -> None:
    if output == "json":
        render.many(kinds.Kind.ALLOCATION, released, output)
        return
    for allocation in released:
        click.echo(f"{kinds.label_of(allocation)} released")
    if not released:
        exits.note("nothing was held; nothing was released")
