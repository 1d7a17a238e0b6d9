"""What `moorctl --help` and `--version` load: every name of it with its reason, and nothing else.

Somebody waits for them, and a shell that completes a word: who adds to it says here what for.
"""

import click
import pytest

from harness import imports
from moorage.ctl import groups, program

ENVIRONMENT = {"HOME": "/nonexistent"}
CALL = (
    "import os, sys\n"
    "sys.argv = ['moorctl', *{arguments!r}]\n"
    "from moorage.ctl import program\n"
    "code = program.run(sys.argv[1:])\n"
    f"assert code == 0, code\n{imports.TELL}"
)

PACKAGES = {
    "click": "the command line",
    "moorage": "the program",
}

# What is loaded of the standard library is one of these, or loaded by one of them or by click.
LIBRARY = {
    "dataclasses": "reports and settings",
    "ipaddress": "names are made of addresses as well",
    "json": "errors, for programs",
    "locale": "click, which has its words translated",
    "math": "whether a timeout is a number",
    "pathlib": "where the contexts are",
    "shutil": "click, which asks how wide the terminal is",
    "tomllib": "the contexts themselves",
}

MODULES = {
    "moorage": "the errors, and where the rest is",
    "moorage.ctl": "the package of the program",
    "moorage.ctl.contexts": "the context in use may name the server",
    "moorage.ctl.exits": "how it ends; help lists the exit codes",
    "moorage.ctl.groups": "how commands are found",
    "moorage.ctl.program": "the program",
    "moorage.ctl.settings": "the options of the connection",
    "moorage.errors": "which failures there are",
    "moorage.files": "the file of a token, for the options of TLS",
    "moorage.names": "the defaults",
    "moorage.targets": "a server's address as people write it",
    "moorage.tls": "the options of TLS",
}


def loaded(*arguments: str) -> set[str]:
    """What a call has loaded at its end."""
    return imports.modules(CALL.format(arguments=list(arguments)), ENVIRONMENT)


@pytest.fixture
def listed() -> set[str]:
    """What is loaded by `moorctl --help`."""
    return loaded("--help")


def test_every_package_has_its_reason(listed: set[str]) -> None:
    others = listed - imports.alone((), ENVIRONMENT)
    packages = {imports.package(each) for each in others if not imports.is_of_the_library(each)}
    assert not (told := imports.differences("help", packages, PACKAGES)), told


def test_every_module_of_our_own_has_its_reason(listed: set[str]) -> None:
    ours = {each for each in listed if imports.package(each) == "moorage"}
    assert not (told := imports.differences("help", ours, MODULES)), told


def test_what_is_loaded_of_the_standard_library_has_its_reason(listed: set[str]) -> None:
    public = {each for each in listed if imports.is_of_the_library(each) and "._" not in f".{each}"}
    clicks = imports.alone(("click", "click.shell_completion", "click._textwrap"), ENVIRONMENT)
    # What a table names may be brought by others as well, in one version of Python or another.
    others = public - imports.alone(LIBRARY, ENVIRONMENT) - clicks
    told = imports.differences("help", others | (listed & LIBRARY.keys()), LIBRARY)
    assert not told, told


def test_the_version_loads_no_more_than_help(listed: set[str]) -> None:
    assert loaded("--version") < listed


@pytest.mark.parametrize("group", ["config", "import", "ipam", "pki", "quarantine", "sticky"])
def test_a_list_of_commands_loads_none_of_them(listed: set[str], group: str) -> None:
    ours = {each for each in loaded(group, "-h") - listed if imports.package(each) == "moorage"}
    own = f"moorage.ctl.{'import_' if group == 'import' else group}"
    assert ours == {own}


def every_group() -> list[click.Context]:
    """The program, and every command that is one for others."""
    ctx = click.Context(program.moorctl)
    found = [program.moorctl.get_command(ctx, name) for name in program.COMMANDS]
    return [ctx, *(click.Context(each) for each in found if isinstance(each, groups.Group))]


def test_a_list_says_of_a_command_what_it_says_of_itself() -> None:
    for ctx in every_group():
        group = ctx.command
        assert isinstance(group, groups.Group)
        for name, stand_in in group.commands.items():
            command = group.get_command(ctx, name)
            assert command is not None
            assert stand_in.get_short_help_str(1000) == command.get_short_help_str(1000), name
