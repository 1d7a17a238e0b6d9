"""moorctl import moorage: takes over what `moorctl export` has written."""

from __future__ import annotations

import click

from moorage.ctl import settings
from moorage.ctl.import_ import export_file, flags, takeover


@click.command("moorage")
@click.argument("source", metavar="FILE")
@flags.how()
@click.option("--all-vrfs", is_flag=True, help="Import every VRF of the file, under its own name.")
@settings.after_command
def command(where: settings.Settings, source: str, how: takeover.How, all_vrfs: bool) -> None:
    """Take over what `moorctl export` has written, on this server or another.

    \b
      moorctl --vrf blue import moorage blue.jsonl
      moorctl --vrf blue import moorage blue.jsonl --apply
      moorctl import moorage --all-vrfs everything.jsonl --apply

    FILE is a file or "-". The VRF in it goes into that of --vrf, whatever it was called; it is made
    where it is not there. Without --apply it is shown what would be made or adopted and what
    is in the way. With a conflict anywhere, nothing is changed and the exit code is 4. A file that
    was cut off, changed, or written by a newer moorctl is refused before the server is asked.

    Importing again changes nothing, and goes on where it was interrupted. VRF, nodes and
    reservations are brought to what the file says; a pool of the same range is used as it is.
    What was released here since stays released; a sticky address that was given up is kept again.

    Not in the file, and so not here afterwards: history, changes, positions of watches,
    generations, tombstones, cool-downs. For those, restore a dump of the database.
    """
    sections = export_file.read(source, into="" if all_vrfs else where.vrf)
    takeover.run_all(where, {each.vrf: each.estate() for each in sections}, how)
