"""Several processes that serve on one port, and the one above them that serves nothing itself.

The kernel gives each new connection to one of those that listen. They start together and end
together: where one ends by itself all do, and whoever supervises the command starts it again.
"""

import asyncio
import contextlib
import dataclasses
import json
import signal
import sys
from collections.abc import Iterator, Sequence
from typing import Self, cast

import structlog

import moorage_server
from moorage_server.config import Settings
from moorage_server.processes import one, port
from moorage_server.processes.ending import Ending

# -P: what lies in the working directory is no module of ours.
_CHILD = (sys.executable, "-P", "-m", "moorage_server.processes.child")

_log = structlog.get_logger()


class ProcessEnded(Exception):
    """One of several processes has ended by itself."""


class Child:
    """One of them, as its parent sees it: orders go in, one report comes out."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        """`name` is for people."""
        self.name = name
        self.pid = process.pid
        self._process = process
        self._orders = cast("asyncio.StreamWriter", process.stdin)
        reports = cast("asyncio.StreamReader", process.stdout)
        self._line = asyncio.create_task(reports.readline())

    @classmethod
    async def start(cls, number: int, settings: Settings) -> Self:
        """The process of this number, ordered to serve."""
        pipe = asyncio.subprocess.PIPE
        with _deaf():
            process = await asyncio.create_subprocess_exec(*_CHILD, stdin=pipe, stdout=pipe)
        child = cls(f"process {number} of {settings.processes}", process)
        own = dataclasses.asdict(settings.of_process(number))
        child._orders.write(json.dumps({"process": number, "settings": own}).encode() + b"\n")
        return child

    async def metrics(self) -> str | None:
        """Where they are, once it serves; None where it never will."""
        return (await self._report()).get("metrics")

    def go_away(self) -> None:
        """Has it say that it is not ready any more."""
        self._orders.write(b"\n")

    async def stop(self) -> None:
        """Has it finish the calls under way and end."""
        self._orders.close()
        await self.ended()

    async def ended(self) -> None:
        """Returns when it has."""
        await self._process.wait()

    @property
    def failed(self) -> bool:
        """Whether it has ended otherwise than it does when it is stopped."""
        return self._process.returncode not in (0, None)

    async def last_words(self) -> str:
        """What became of it, after its end."""
        if failure := (await self._report()).get("failure"):
            return f"{self.name} {failure}"
        status = self._process.returncode or 0
        how = f"by signal {-status}" if status < 0 else f"with status {status}"
        return f"{self.name} (pid {self.pid}) has ended by itself, {how}; start again"

    async def _report(self) -> dict[str, str]:
        # Whoever stops waiting for it leaves it to be asked for once more.
        report: dict[str, str] = json.loads(await asyncio.shield(self._line) or b"{}")
        return report


async def serve(settings: Settings, ending: Ending) -> None:
    """Serves until `ending`, then has every process finish its calls.

    Raises BindError, and ProcessEnded when one of them has ended before it should.
    """
    with contextlib.ExitStack() as until:
        settings = _reserved(settings, until)
        numbers = range(1, settings.processes + 1)
        # Should anything fail here, those that were started end with us.
        children = [await Child.start(number, settings) for number in numbers]
        lost = await _watch(children, settings, ending.begun)
        if not lost:
            for each in children:
                each.go_away()
            await ending.rest(settings.drain_seconds)
        await asyncio.gather(*(each.stop() for each in children))
    lost += [each for each in children if each.failed and each not in lost]
    if lost:
        raise ProcessEnded("; ".join([await each.last_words() for each in lost]))


def _reserved(settings: Settings, until: contextlib.ExitStack) -> Settings:
    """With the ports that are all processes' own until then; raises BindError."""
    settings = dataclasses.replace(
        settings, listen=until.enter_context(port.reserved(settings.listen))
    )
    if not settings.token_listen:
        return settings
    reserved = port.reserved(settings.token_listen, "--token-listen")
    return dataclasses.replace(settings, token_listen=until.enter_context(reserved))


async def _watch(
    children: Sequence[Child], settings: Settings, stopping: asyncio.Event
) -> list[Child]:
    """Those that have ended before all were told to."""
    told = asyncio.create_task(stopping.wait())
    ends = {asyncio.create_task(each.ended()): each for each in children}
    announcing = asyncio.create_task(_announce(children, settings))
    done, _ = await asyncio.wait([told, *ends], return_when=asyncio.FIRST_COMPLETED)
    for task in (told, announcing, *ends):
        task.cancel()
    return [] if told in done else [ends[each] for each in ends if each in done]


async def _announce(children: Sequence[Child], settings: Settings) -> None:
    """Says that all of them serve, as one that serves alone does."""
    metrics = [await each.metrics() for each in children]
    if None not in metrics:
        _log.info(
            "serving",
            address=settings.listen,
            metrics=metrics,
            **one.told_of(settings.token_listen),
            processes=[each.pid for each in children],
            version=moorage_server.__version__,
        )


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """A process that is started meanwhile never hears what would end it too early.

    Ctrl-C goes to all processes of a terminal's command, SIGTERM to all of a service's.
    """
    signals = (signal.SIGINT, signal.SIGTERM)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
