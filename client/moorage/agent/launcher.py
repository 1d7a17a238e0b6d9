"""The launcher: the program that a runtime finds as `moorage` on a node with an agent.

It is the forwarder with two paths. Taking it away, and putting the direct program in its place,
is all there is to doing without the agent.
"""

import pathlib
import sys

from moorage.cni import forwarder

SOCKET = pathlib.Path("/run/moorage/agent.sock")

# -I: nothing of the runtime's environment reaches the interpreter. -S: no site-packages are looked
# through, which is why the forwarder's own folder is named, behind the standard library.
_TEXT = """\
#!{python} -IS
import sys

sys.path.append({folder!r})
import forwarder

forwarder.main({socket!r}, {direct!r})
"""


def render(
    *,
    socket: pathlib.Path = SOCKET,
    python: pathlib.Path = pathlib.Path(sys.executable),
    direct: pathlib.Path | None = None,
) -> str:
    """Return the text of a launcher; the direct program is the one beside `python` by default."""
    return _TEXT.format(
        python=python,
        folder=str(pathlib.Path(forwarder.__file__).parent),
        socket=str(socket),
        direct=str(direct or python.with_name("moorage")),
    )
