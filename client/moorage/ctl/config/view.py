"""moorctl config view: which settings hold, and who has said so."""

from __future__ import annotations

import click

from moorage.ctl import exits, options, render, settings


@click.command("view")
@click.option("--show-origin", is_flag=True, help="Say of each where it comes from.")
@options.output(["text", "json"])
@settings.after_command
def command(where: settings.Settings, show_origin: bool, output: str) -> None:
    """Show the settings that a command at this place would have.

    \b
      moorctl config view --show-origin
      moorctl --context production config view -o json
    """
    rows = [(name, str(getattr(where, name)), where.origin(name).text) for name in settings.FIELDS]
    if output == "json":
        click.echo(exits.json_text({name: _told(*told) for name, *told in rows}))
        return
    columns = 3 if show_origin else 2
    shown = ([name, value or "-", origin][:columns] for name, value, origin in rows)
    for line in render.aligned(shown):
        click.echo(exits.printable(line))


def _told(value: str, origin: str) -> dict[str, str]:
    return {"value": value, "origin": origin}
