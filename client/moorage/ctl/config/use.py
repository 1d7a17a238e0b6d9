"""moorctl config use: chooses a context."""

from __future__ import annotations

import click

from moorage.ctl import contexts, exits


@click.command("use")
@click.argument("name")
def command(name: str) -> None:
    """Have a context in use wherever none is named by --context or MOORAGE_CONTEXT."""
    contexts.use(name)
    exits.note(f"context {name} of {contexts.path()} is in use")
