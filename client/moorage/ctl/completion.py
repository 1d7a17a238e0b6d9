"""moorctl completion: prints what has a shell complete moorctl's command line."""

from __future__ import annotations

import click
from click import shell_completion

_VARIABLE = "_MOORCTL_COMPLETE"  # as click reads it
_SHELLS: dict[str, type[shell_completion.ShellComplete]] = {
    "bash": shell_completion.BashComplete,
    "zsh": shell_completion.ZshComplete,
    "fish": shell_completion.FishComplete,
}


@click.command("completion")
@click.argument("shell", type=click.Choice(list(_SHELLS)))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print what has a shell complete commands, options and the names of resources.

    \b
      moorctl completion bash > /etc/bash_completion.d/moorctl
      source <(moorctl completion zsh)
      moorctl completion fish > ~/.config/fish/completions/moorctl.fish

    Names are asked of the server, for a second at most.
    """
    program = ctx.find_root().command
    click.echo(_SHELLS[shell](program, {}, "moorctl", _VARIABLE).source())
