"""moorctl pki: an authority in a folder and what it signs, to try out a server that asks who calls.

Each command is the module of its name.
"""

import click

from moorage.ctl import groups

COMMANDS = {
    "init": (
        "Make an authority in FOLDER: ca.crt, which everybody gets, and ca.key, which nobody does."
    ),
    "issue": "Sign for NAME with the authority of FOLDER: NAME.crt and NAME.key.",
}


class _Commands(groups.Group):
    package = "moorage.ctl.pki"


@click.group("pki", cls=_Commands, commands=groups.stand_ins(COMMANDS))
def command() -> None:
    """Make certificates for trying out; in production, use the authority you have.

    \b
      moorctl pki init ./pki
      moorctl pki issue ./pki server ipam --host ipam.example --host 10.0.0.5
      moorctl pki issue ./pki node node-1
      moorctl pki issue ./pki caller alice

    A file that is there already stays as it is. Needs the package moorage[pki].
    """
