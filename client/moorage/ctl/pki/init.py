"""moorctl pki init: makes an authority in a folder."""

import datetime
import pathlib

import click

from moorage.ctl.pki import signing


@click.command("init")
@click.argument("folder", type=signing.FOLDER)
@click.option("--name", default="moorage", show_default=True, help="What the authority is called.")
@click.option("--days", type=click.IntRange(1, 3650), default=365, show_default=True)
def command(folder: pathlib.Path, name: str, days: int) -> None:
    """Make an authority in FOLDER: ca.crt, which everybody gets, and ca.key, which nobody does."""
    with signing.doing("make an authority") as authority:
        made = authority.found(folder, name, datetime.timedelta(days=days))
    click.echo(f"{made} created")
