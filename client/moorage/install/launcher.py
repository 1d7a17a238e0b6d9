"""The program that a runtime finds as `moorage` in the directory of its CNI plugins.

A few lines that name an interpreter: what is imported stays where it was installed.
"""

import pathlib

from moorage.install import errors

# -I: nothing of the runtime's environment reaches the interpreter.
_DIRECT = """\
#!{python} -I
from moorage.cni.plugin import main

main()
"""
# What every kernel reads of a first line, and the line's end.
_LONGEST_FIRST_LINE = 127


def direct(python: pathlib.Path) -> bytes:
    """The launcher of the program that needs no agent.

    Raises:
        InstallError: no kernel can start it.
    """
    _require_startable(python)
    return _DIRECT.format(python=python).encode()


def _require_startable(python: pathlib.Path) -> None:
    name = str(python)
    if len(name) + len("#! -I\n") > _LONGEST_FIRST_LINE or any(map(str.isspace, name)):
        raise errors.unusable(
            python,
            "cannot stand in the first line of a program: it is too long or has blanks",
            "install Moorage in a directory with a shorter name without blanks",
        )
