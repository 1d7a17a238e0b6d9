"""moorctl quarantine lift: ends a quarantine by the word of whoever says so."""

from __future__ import annotations

import click

from moorage.ctl import dry_runs, exits, settings
from moorage.ctl.quarantine import causes


@click.command("lift")
@click.option("--reason", required=True, help="Why it is safe; kept for whoever asks later.")
@dry_runs.refused("lift a quarantine", "see what it waits for: moorctl quarantine show")
@settings.after_command
def command(where: settings.Settings, reason: str) -> None:
    """End every quarantine of a VRF at once.

    It assigns again from now on, also addresses that somebody may hold of whom it does not know.
    `moorctl quarantine show` tells of whom nothing was heard, and what nobody is known to hold.
    """
    with where.connected(f"lift the quarantine of vrf/{where.vrf}") as client:
        ended = client.lift_quarantine(reason, vrf=where.vrf)
    for each in ended:
        click.echo(f"vrf/{where.vrf} lifted: {causes.name(each)}")
    if not ended:
        exits.note(f"vrf/{where.vrf} is in no quarantine")
