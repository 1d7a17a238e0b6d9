"""moorctl pki issue: signs for a server, a node or another caller."""

import datetime
import pathlib
import re
from collections.abc import Sequence

import click

from moorage.ctl import exits
from moorage.ctl.pki import signing

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")


@click.command("issue")
@click.argument("folder", type=signing.FOLDER)
@click.argument("kind", type=click.Choice(["server", "node", "caller"]))
@click.argument("name")
@click.option("--host", "hosts", multiple=True, help="Name or address of a server; repeatable.")
@click.option("--spiffe-id", "ids", multiple=True, help="SPIFFE id of a node or caller.")
@click.option("--hours", type=click.IntRange(1, 8760), default=24, show_default=True)
def command(
    folder: pathlib.Path,
    kind: str,
    name: str,
    hosts: Sequence[str],
    ids: Sequence[str],
    hours: int,
) -> None:
    """Sign for NAME with the authority of FOLDER: NAME.crt and NAME.key.

    A server is reached by the names it is signed for. A node gets the name that Kubernetes would
    give it; another caller has the role that the server's list of roles says.
    """
    if not _NAME.fullmatch(name) or name == "ca":
        raise exits.refused(f"{name!r} is no name: letters, digits, '.', '_' and '-', and not ca")
    if (kind == "server") != bool(hosts):
        raise exits.refused("a server, and nobody else, is signed for hosts: --host")
    with signing.doing(f"sign for {name}") as authority:
        subject = (
            authority.name(f"system:node:{name}", "system:nodes")
            if kind == "node"
            else authority.name(name)
        )
        life = datetime.timedelta(hours=hours)
        made = authority.sign(folder, name, subject, life, hosts=hosts, ids=ids)
    click.echo(f"{made} created")
