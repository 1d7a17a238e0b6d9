"""moorctl config contexts: which contexts there are."""

from __future__ import annotations

import click

from moorage.ctl import contexts, exits, options


@click.command("contexts")
@options.output(["text", "json"])
def command(output: str) -> None:
    """List the contexts of the file; the one in use has a star."""
    known, in_use = contexts.everything(), contexts.in_use()
    if output == "json":
        listed = {"file": str(contexts.path()), "inUse": in_use, "contexts": known}
        click.echo(exits.json_text(listed))
        return
    for name in known:
        click.echo(exits.printable(f"{'*' if name == in_use else ' '} {name}"))
    if not known:
        exits.note(f"there are no contexts in {contexts.path()}; see `moorctl config -h`")
