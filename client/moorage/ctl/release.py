"""moorctl release: releases addresses by hand."""

from __future__ import annotations

from collections.abc import Sequence

import click

from moorage.ctl import dry_runs, exits, kinds, options, render, settings
from moorage.v1 import resources_pb2


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

    Releasing what is not there succeeds. With --ip, the holder is looked up first, and the address
    is not touched if it has changed hands in between.
    """
    if container_id and not address:
        holder = resources_pb2.Attachment(container_id=container_id, **attachment)
        with where.connected(f"release the addresses of container {container_id}") as client:
            released = client.release(holder, vrf=where.vrf)
    elif address and not container_id:
        released = _by_address(where, address)
    else:
        raise click.UsageError("give either --container-id or --ip")
    _show(released, output)


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
