"""moorctl config: where the settings of moorctl come from.

Each command is the module of its name.
"""

import click

from moorage.ctl import groups

COMMANDS = {
    "contexts": "List the contexts of the file; the one in use has a star.",
    "use": "Have a context in use wherever none is named by --context or MOORAGE_CONTEXT.",
    "view": "Show the settings that a command at this place would have.",
}


class _Commands(groups.Group):
    package = "moorage.ctl.config"


@click.group("config", cls=_Commands, commands=groups.stand_ins(COMMANDS))
def command() -> None:
    """Say which settings hold, and choose a context.

    \b
      moorctl config view --show-origin
      moorctl config contexts
      moorctl config use production

    Contexts are settings under a name, in ~/.config/moorage/config.toml, or where MOORAGE_CONFIG
    says:

    \b
      [contexts.production]
      server = "ipam.example:7711"
      timeout = 20
      vrf = "blue"
      tls-ca = "ca.crt"
      tls-cert = "alice.crt"
      tls-key = "alice.key"    # or token-file = "alice.token"

    Files are beside it unless their paths are absolute. An option wins over a context that
    --context names, that over the environment, the environment over the context in use, and that
    over the defaults.
    """
