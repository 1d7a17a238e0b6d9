"""moorctl drain: takes pools out of service."""

from __future__ import annotations

from collections.abc import Sequence

import click

from moorage.ctl import dry_runs, exits, kinds, settings, suggestions


@click.command("drain")
@click.argument(
    "ids",
    nargs=-1,
    required=True,
    metavar="POOL...",
    shell_complete=suggestions.of(kinds.Kind.POOL),
)
@dry_runs.refused("drain a pool", "see what it holds: moorctl describe pool")
@settings.after_command
def command(where: settings.Settings, ids: Sequence[str]) -> None:
    """Take pools out of service, to delete them later.

    \b
      moorctl drain old
      moorctl get allocations --pool old
      moorctl delete pool old

    A draining pool assigns nothing any more; what is assigned stays until it is released.
    `moorctl activate` puts a pool back into service. Draining a pool again changes nothing.
    """
    with where.connected("drain") as client:
        for own_id in ids:
            with exits.doing(f"drain pool/{own_id}", where.server):
                client.drain_pool(own_id, vrf=where.vrf)
            click.echo(f"pool/{own_id} draining")
