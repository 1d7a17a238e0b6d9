"""What shipped files tell the programs, held against what the programs understand."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from moorage.agent import program as agent
from moorage.controller import program as controller
from moorage_server import cli, config

# Of PostgreSQL's own library, which reads them itself.
LIBPQ = {"PGPASSWORD", "PGSSLMODE", "PGSSLROOTCERT"}

PROGRAMS: Mapping[str, click.Command] = {
    "moorage-server": cli.program,
    "moorage-agent": agent.main,
    "moorage-controller": controller.command,
}


class _Read(dict[str, str]):
    """An environment that remembers what was asked for."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        super().__init__(environment)
        self.asked = set[str]()

    def get(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - as of any mapping
        self.asked.add(name)
        return super().get(name, default)


def parsed(words: Sequence[str], environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The parameters that a command line gives; fails where its program would refuse it."""
    name, *rest = words
    command = PROGRAMS[name.rpartition("/")[2]]
    if isinstance(command, click.Group):
        verb, *rest = rest
        command = command.commands[verb]
    _require_read_by(command, environment or {})
    with_environment = {
        str(one.name): (environment or {})[one.envvar]
        for one in command.params
        if isinstance(one.envvar, str) and one.envvar in (environment or {})
    }
    context = command.make_context(name, list(rest), default_map=with_environment)
    return context.params


def settings(environment: Mapping[str, str]) -> config.Settings:
    """Those of a server; fails where it would refuse them, or not read one."""
    read = _Read(environment)
    found = config.Settings.read(read)
    assert environment.keys() - LIBPQ <= read.asked
    return found


def _require_read_by(command: click.Command, environment: Mapping[str, str]) -> None:
    known = {one.envvar for one in command.params}
    assert {name for name in environment if name.startswith("MOORAGE_")} <= known
