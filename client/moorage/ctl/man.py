"""moorctl man: writes the manual pages of this version."""

from __future__ import annotations

import pathlib

import click

from moorage.ctl import exits, manual


@click.command("man")
@click.argument("directory", type=click.Path(file_okay=False, path_type=pathlib.Path))
@click.pass_context
def command(ctx: click.Context, directory: pathlib.Path) -> None:
    """Write manual pages into a directory: one for the program, and one for each command.

    \b
      moorctl man ~/.local/share/man/man1
      man moorctl-get

    The directory is made where it is not there; pages that are there are written anew.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in manual.pages(ctx.find_root().command):
            (directory / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise exits.refused(f"cannot write {error.filename}: {error.strerror}") from error
