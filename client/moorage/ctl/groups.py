"""Groups of commands: each command is a module, loaded when it is called for.

What stands for a command until then is its name, and what a list of commands says of it: that is
the beginning of its own help, said here once more so that a list loads nothing.
"""

import importlib
import keyword
from collections.abc import Mapping

import click
from click.shell_completion import CompletionItem


class Group(click.Group):
    """Finds the command `get` in the module `get` of its package, `host-local` in `host_local`."""

    package: str

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command; None if there is none of that name."""
        if super().get_command(ctx, cmd_name) is None:
            return None
        # A module cannot have the name of a keyword of the language, nor a dash in it.
        name = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name.replace("-", "_")
        module = importlib.import_module(f"{self.package}.{name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without loading them."""
        names = self.list_commands(ctx)
        room = formatter.width - 6 - max(map(len, names))
        rows = [(name, self.commands[name].get_short_help_str(room)) for name in names]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Suggest commands by their names alone: what they say of themselves would load them."""
        found = [CompletionItem(name) for name in self.list_commands(ctx)]
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [*(each for each in found if each.value.startswith(incomplete)), *options]


def stand_ins(summaries: Mapping[str, str]) -> dict[str, click.Command]:
    """Return what stands for the commands where they are listed or suggested."""
    return {name: click.Command(name, help=text) for name, text in summaries.items()}
