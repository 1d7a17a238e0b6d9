"""moorctl ipam: how its commands are called for."""

import re

import pytest

from ctl import program

COMMANDS = ["check", "configure", "release", "show", "split"]


def test_help_lists_every_command(offline: program.Moorctl) -> None:
    text = offline.must("ipam", "-h")
    listed = re.findall(r"^  (\w+) +[A-Z]", text.partition("Commands:")[2], re.MULTILINE)
    assert listed == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_by_an_example(
    offline: program.Moorctl, command: str
) -> None:
    assert f"moorctl ipam {command} " in offline.must("ipam", command, "-h")


def test_an_unknown_command_is_explained(offline: program.Moorctl) -> None:
    ended = offline("ipam", "chek", "-o", "json")
    assert (ended.code, ended.out) == (2, "")
    assert "Did you mean 'check'?" in str(ended.error()["message"])


@pytest.mark.parametrize(
    "arguments",
    [
        ("show",),
        ("show", "--show-borrowed"),
        ("show", "--show-configuration"),
        ("show", "--ip", "10.0.0.7"),
        ("check",),
        ("release", "--ip", "10.0.0.7"),
        ("configure", "--strictaffinity", "true"),
        ("split", "2", "--name", "web"),
    ],
)
def test_a_server_that_is_not_there_is_named(
    offline: program.Moorctl, arguments: tuple[str, ...]
) -> None:
    ended = offline("ipam", *arguments)
    assert (ended.code, ended.out) == (7, "")
    assert offline.variables["MOORAGE_SERVER"] in ended.err
    assert "--server or MOORAGE_SERVER" in ended.err
