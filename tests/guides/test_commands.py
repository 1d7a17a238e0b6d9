"""Every command that the documentation shows is one that the programs know, with its options."""

import pathlib
import subprocess
import sys

import pytest

from ctl import program as ctl
from guides import shown

MOORCTL = ctl.Moorctl(variables={})


def test_commands_are_found() -> None:
    programs = {program for program, *_ in shown.commands()}
    assert programs == {"moorctl", "moorage-server", "moorage-agent"}


@pytest.mark.parametrize("command", list(shown.commands()), ids=" ".join)
def test_a_command_is_known(command: tuple[str, ...]) -> None:
    program, *words = command
    if program == "moorctl":
        ended = MOORCTL(*words, "--help")
        assert ended.code == 0, ended.err
        return
    path = pathlib.Path(sys.executable).with_name(program)
    asked = subprocess.run([path, *words, "--help"], capture_output=True, text=True, check=False)
    assert asked.returncode == 0, asked.stderr


def test_an_option_that_is_not_there_is_noticed() -> None:
    assert MOORCTL("history", "--no-such-option", "--help").code != 0
