"""One of several processes that serve; `several` starts it, and says in what words they speak.

It gets its orders in the first line of its standard input. With the second it is to go away, as
with SIGTERM, and when the input ends it stops: the parent wants it to, or has gone. Nothing else
tells it to stop, so that what a terminal or a supervisor sends to all processes of a command is
decided on by the parent.
"""

import asyncio
import contextlib
import json
import os
import sys

from moorage_server import logs
from moorage_server.api.reloading import Unreadable
from moorage_server.api.server import BindError
from moorage_server.config import Settings
from moorage_server.processes import one
from moorage_server.processes.ending import Ending


def main() -> None:
    """Serves as it is ordered."""
    line = sys.stdin.buffer.readline()
    if not line:
        return  # the parent has gone before it had any
    orders = json.loads(line)
    logs.configure(process=orders["process"])
    try:
        asyncio.run(_serve(Settings(**orders["settings"])))
    except (BindError, Unreadable) as error:
        _report(failure=str(error))
        sys.exit(1)


async def _serve(settings: Settings) -> None:
    ending = Ending()
    loop, orders = asyncio.get_running_loop(), sys.stdin.fileno()

    def hear() -> None:
        if os.read(orders, 1024):
            ending.begin()
        else:
            loop.remove_reader(orders)
            ending.skip()

    loop.add_reader(orders, hear)
    await one.serve(settings, ending, lambda _, metrics, __: _report(metrics=metrics))


def _report(**what: str) -> None:
    # A parent that has gone hears nothing; that it has, the input says.
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(what), flush=True)


if __name__ == "__main__":
    main()
