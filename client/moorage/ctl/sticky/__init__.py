"""moorctl sticky: addresses that nobody holds, and that are kept for their owners.

Each command is the module of its name.
"""

import click

from moorage.ctl import groups

COMMANDS = {
    "delete": "Give addresses up that are kept for their owners.",
    "list": "List the addresses that are kept for their owners, in order.",
}


class _Commands(groups.Group):
    package = "moorage.ctl.sticky"


@click.group("sticky", cls=_Commands, commands=groups.stand_ins(COMMANDS))
def command() -> None:
    """Look at the addresses that are kept for their owners, and give some up.

    \b
      moorctl sticky list --owner db-0
      moorctl sticky delete 10.0.0.7

    An address becomes one when it is released, if it was assigned to be kept for its owner.
    """
