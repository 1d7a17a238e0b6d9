"""The program that a runtime finds as `moorage` in the directory of its CNI plugins.

On a node with an agent it is the forwarder, whole: any Python of the node runs it, no package is
needed, and what it must know stands in its last line. Without an agent it is a few lines, and the
package is where its Python finds it.
"""

import inspect
import pathlib

from moorage.cni import forwarder, netconf
from moorage.install import errors

# -I: nothing of the runtime's environment reaches the interpreter.
_DIRECT = """\
#!{python} -I
from moorage.cni.plugin import main

main()
"""
# -S: no site-packages are looked through.
_FORWARDING = """\
#!{python} -IS
{forwarder}

main({socket!r}, {direct!r}, {versions!r}, {patience!r})
"""
# For how many seconds a call waits for an agent that is away, where nothing else can answer it: one
# that is replaced finishes what it began (`agent.service.FINISHED_WITHIN`), and the next has to be
# started. A runtime gives a call a minute or more.
PATIENCE = 30.0
# What every kernel reads of a first line, and the line's end.
_LONGEST_FIRST_LINE = 127


def direct(python: pathlib.Path) -> bytes:
    """The launcher of the program that needs no agent.

    Raises:
        InstallError: no kernel can start it.
    """
    _require_startable(python)
    return _DIRECT.format(python=python).encode()


def forwarding(
    python: pathlib.Path,
    socket: pathlib.Path,
    direct: pathlib.Path | None = None,
    *,
    patience: float = PATIENCE,
) -> bytes:
    """The launcher of the program that passes calls on to an agent, or else to the direct one.

    That is the one beside `python`, unless told otherwise; where there is none, the agent is waited
    for.

    Raises:
        InstallError: no kernel can start it.
    """
    _require_startable(python)
    return _FORWARDING.format(
        python=python,
        forwarder=inspect.getsource(forwarder),
        socket=str(socket),
        direct=str(direct or python.with_name("moorage")),
        versions=netconf.VERSIONS,
        patience=patience,
    ).encode()


def _require_startable(python: pathlib.Path) -> None:
    name = str(python)
    if len(name) + len("#! -I\n") > _LONGEST_FIRST_LINE or any(map(str.isspace, name)):
        raise errors.unusable(
            python,
            "cannot stand in the first line of a program: it is too long or has blanks",
            "install Moorage in a directory with a shorter name without blanks",
        )
