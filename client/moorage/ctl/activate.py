"""moorctl activate: puts draining pools back into service."""

from __future__ import annotations

from collections.abc import Sequence

import click

from moorage.ctl import dry_runs, exits, kinds, settings, suggestions


@click.command("activate")
@click.argument(
    "ids",
    nargs=-1,
    required=True,
    metavar="POOL...",
    shell_complete=suggestions.of(kinds.Kind.POOL),
)
@dry_runs.refused("activate a pool", "see whether it is draining: moorctl get pools")
@settings.after_command
def command(where: settings.Settings, ids: Sequence[str]) -> None:
    """Put draining pools back into service.

    \b
      moorctl activate old

    Activating a pool that is in service changes nothing.
    """
    with where.connected("activate") as client:
        for own_id in ids:
            with exits.doing(f"activate pool/{own_id}", where.server):
                client.activate_pool(own_id, vrf=where.vrf)
            click.echo(f"pool/{own_id} active")
