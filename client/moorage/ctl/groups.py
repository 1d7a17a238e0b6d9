"""Groups of commands: each command is a module, loaded when it is called for."""

import importlib
import keyword

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

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Suggest commands by their names alone: what they say of themselves would load them."""
        found = [CompletionItem(name) for name in self.list_commands(ctx)]
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [*(each for each in found if each.value.startswith(incomplete)), *options]


def stand_ins(names: tuple[str, ...]) -> dict[str, click.Command]:
    """Return what stands for the commands where click lists or suggests names."""
    return {name: click.Command(name) for name in names}
