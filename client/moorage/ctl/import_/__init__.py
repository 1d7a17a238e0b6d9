"""moorctl import: takes over what another IPAM has handed out, renumbering nothing.

Each command is named for what it reads: `calico`, of which `dump` reads what it left and `holders`
says who holds each address here; `whereabouts` with `whereabouts_dump`; `host_local` with
`host_local_files`; `go_ipam`; `moorage` with `export_file`; `netbox`. What they find is an
`estate`, read from `values` and put together by `making`, and `takeover` runs the import of it:
`importer` compares it with the server, whose pools are `ranges`, `plan` is what comes of that,
`report` prints it. `doubles` are attachments that would hold one address too many, `keeping` is
what nobody may hold here.
"""

import click

from moorage.ctl import groups

COMMANDS = {
    "calico": "Take over pools, blocks and addresses as Calico left them; nobody is renumbered.",
    "go-ipam": "Take over prefixes as pools, and what is acquired from them as reservations.",
    "host-local": (
        "Take over the ranges and addresses of a network of host-local's; nobody is renumbered."
    ),
    "moorage": "Take over what `moorctl export` has written, on this server or another.",
    "netbox": "Take over prefixes as pools, and IP addresses as reservations.",
    "whereabouts": "Take over ranges and addresses as whereabouts left them; nobody is renumbered.",
}


class _Commands(groups.Group):
    package = "moorage.ctl.import_"


@click.group("import", cls=_Commands, commands=groups.stand_ins(COMMANDS))
def command() -> None:
    """Take over the addresses of another IPAM.

    \b
      moorctl import calico dump.yaml
      moorctl import calico dump.yaml --apply
      moorctl import whereabouts dump.yaml
      moorctl import host-local --node worker-1 10-pods.conflist
      moorctl import go-ipam dump.json
      moorctl import moorage blue.jsonl
      moorctl import netbox prefixes.csv addresses.csv
    """
