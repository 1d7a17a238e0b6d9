"""One of several processes that serve; `several` starts it, and says in what words they speak.

It gets its orders in the first line of its standard input, and stops when that input ends:
when the parent wants it to, or has gone. Nothing else tells it to stop, so that what a
terminal or a supervisor sends to all processes of a command is decided on by the parent.
"""

import asyncio
import contextlib
import json
import sys

from moorage_server import logs
from moorage_server.api.server import BindError
from moorage_server.config import Settings
from moorage_server.processes import one


def main() -> None:
    """Serves as it is ordered."""
    line = sys.stdin.buffer.readline()
    if not line:
        return  # the parent has gone before it had any
    orders = json.loads(line)
    logs.configure(process=orders["process"])
    try:
        asyncio.run(_serve(Settings(**orders["settings"])))
    except BindError as error:
        _report(failure=str(error))
        sys.exit(1)


async def _serve(settings: Settings) -> None:
    stopping = asyncio.Event()
    # Nothing more is written there: it becomes readable when it ends.
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), stopping.set)
    await one.serve(settings, stopping, lambda _, metrics: _report(metrics=metrics))


def _report(**what: str) -> None:
    # A parent that has gone hears nothing; that it has, the input says.
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(what), flush=True)


if __name__ == "__main__":
    main()
