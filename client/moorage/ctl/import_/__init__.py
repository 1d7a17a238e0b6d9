"""moorctl import: takes over what another IPAM has handed out, renumbering nothing.

`calico` is the command; `dump` reads what Calico left, `holders` says who holds each address here,
`importer` compares it with the server, `plan` is what comes of that, `report` prints it; `doubles`
are attachments that would hold one address too many.
"""

import click

from moorage.ctl import groups

COMMANDS = ("calico",)


class _Commands(groups.Group):
    package = "moorage.ctl.import_"


@click.group("import", cls=_Commands, commands=groups.stand_ins(COMMANDS))
def command() -> None:
    """Take over the addresses of another IPAM.

    \b
      moorctl import calico dump.yaml
      moorctl import calico dump.yaml --apply
    """
