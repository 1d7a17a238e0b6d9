"""The program that a runtime finds as `moorage` in the directory of its CNI plugins.

On a node with an agent it is the forwarder, whole: any Python of the node runs it, no package is
needed, and what it must know stands in its last line; where the node has no Python, it is a program
of its own with such a line. Without an agent it is a few lines, and the package is where its Python
finds it.
"""

import importlib.util
import inspect
import json
import marshal
import os
import pathlib

from moorage.cni import forwarder, versions
from moorage.install import errors

_DIRECT = """\
{first_line}
from moorage.cni.plugin import main

main()
"""
# To compile the forwarder anew would cost two thirds of what a call costs above a bare interpreter.
# Digits, as they are read twice as fast as escapes are; nothing of the library decodes faster.
_FORWARDING = """\
{first_line}
import marshal
from _frozen_importlib_external import MAGIC_NUMBER

# What runs where COMPILED is another Python's. To change what is run, change SOURCE, and have
# COMPILED_FOR be b"".
SOURCE = r'''{source}'''
# SOURCE for one version of Python, whose number this is: what `marshal` makes of its code.
COMPILED_FOR = {magic!r}
COMPILED = '''
{compiled}
'''
if MAGIC_NUMBER == COMPILED_FOR:
    exec(marshal.loads(bytes.fromhex(COMPILED)))
else:
    exec(compile(SOURCE, {name!r}, "exec", optimize=2))

main({socket!r}, {direct!r}, {versions!r}, {patience!r})
"""
_NAME = "forwarder.py"
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
    # -I: nothing of the runtime's environment reaches the interpreter.
    return _DIRECT.format(first_line=_first_line(python, "-I")).encode()


def forwarding(
    python: pathlib.Path,
    socket: pathlib.Path,
    direct: pathlib.Path | None = None,
    *,
    patience: float = PATIENCE,
) -> bytes:
    """The launcher of the program that passes calls on to an agent, or else to the direct one.

    That is the one beside `python`, unless told otherwise; where there is none, the agent is waited
    for. It is compiled for the Python that runs this, as `python` may be one of another machine;
    where that is of another version, it compiles the source at each call.

    Raises:
        InstallError: no kernel can start it.
    """
    source = inspect.getsource(forwarder)
    return _FORWARDING.format(
        # -S: no site-packages are looked through.
        first_line=_first_line(python, "-IS"),
        source=source,
        magic=importlib.util.MAGIC_NUMBER,
        compiled=_compiled(source),
        name=_NAME,
        socket=str(socket),
        direct=str(direct or python.with_name("moorage")),
        versions=versions.VERSIONS,
        patience=patience,
    ).encode()


def static(program: bytes, socket: pathlib.Path, *, patience: float = PATIENCE) -> bytes:
    """The launcher that needs no Python: `program` is what `make forwarder` builds.

    It waits for the agent: on a node without Python nothing else can answer.
    """
    known = {"agent": str(socket), "versions": versions.VERSIONS, "patience": patience}
    return program + f"\n{json.dumps(known)}\n".encode()


def _compiled(source: str) -> str:
    code = compile(source, _NAME, "exec", dont_inherit=True, optimize=2)
    # Later formats depend on who else refers to a constant: the same has to come out each time.
    return marshal.dumps(code, 2).hex("\n", -48)


def _first_line(python: pathlib.Path, flags: str) -> str:
    name = str(python)
    line = f"#!{name} {flags}"
    is_plain = name.isprintable() and " " not in name
    if len(os.fsencode(line + "\n")) > _LONGEST_FIRST_LINE or not is_plain:
        raise errors.unusable(
            python,
            "cannot stand in the first line of a program: it is too long or has blanks",
            "install Moorage in a directory with a shorter name without blanks",
        )
    return line
