"""moorctl quarantine: VRFs in which nothing new is assigned for now.

Each command is the module of its name.
"""

import click

from moorage.ctl import groups

COMMANDS = {
    "lift": "End every quarantine of a VRF at once.",
    "show": (
        "Show why a VRF assigns nothing new, whose list is missing, and what is held by nobody."
    ),
}


class _Commands(groups.Group):
    package = "moorage.ctl.quarantine"


@click.group("quarantine", cls=_Commands, commands=groups.stand_ins(COMMANDS))
def command() -> None:
    """See why a VRF assigns nothing new, and end that.

    \b
      moorctl quarantine show
      moorctl quarantine lift --reason "all nodes were rebuilt"

    A VRF is in quarantine where its database was restored or has gone back in time, until every
    node has sent its list (the CNI verb GC does, and `moorctl reconcile --apply`); or where what
    is stored breaks a rule about who holds an address. What is held can be assigned again, and
    released.
    """
