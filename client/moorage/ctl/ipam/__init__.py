"""moorctl ipam: the whole of a VRF's addresses, with the commands and words of calicoctl ipam.

Each command is the module of its name. `usage`, `borrowed`, `holder` and `configuration` are what
`show` shows, `pods` and `leaks` judge for `check`, `reports` is what `check` writes and `release`
reads, `children` divides a pool for `split`.
"""

import click

from moorage.ctl import groups

COMMANDS = {
    "check": (
        "Check that what is stored of a VRF agrees with itself, and with the pods of a cluster."
    ),
    "configure": "Change how the blocks of a VRF are dealt out.",
    "release": "Release addresses, or what reports call leaked.",
    "show": "Show how full the pools are, or one thing about the VRF.",
    "split": "Split a pool into NUMBER pools of equal size, a power of 2.",
}


class _Commands(groups.Group):
    package = "moorage.ctl.ipam"


@click.group("ipam", cls=_Commands, commands=groups.stand_ins(COMMANDS))
def command() -> None:
    """Look after the addresses of a VRF as a whole.

    \b
      moorctl ipam show --show-blocks
      kubectl get pods -A -o json | moorctl ipam check --pods -
      moorctl ipam configure --strictaffinity true

    The commands, their options and what they print are those of calicoctl ipam, as far as both have
    the same things.
    """
