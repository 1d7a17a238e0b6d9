"""One process that serves: alone, or as one of several."""

import asyncio
import contextlib
import gc
from collections.abc import Callable

import structlog

import moorage_server
from moorage_server.api.server import GRACE, Server
from moorage_server.config import Settings
from moorage_server.processes import tracing
from moorage_server.processes.ending import Ending, give_up_after

LAST_TRANSACTIONS = 10.0  # seconds for what goes on behind calls that were given up

_log = structlog.get_logger()


def told_of(tokens: str) -> dict[str, str]:
    """What is said of the port for tokens alone, where there is one."""
    return {"tokens": tokens} if tokens else {}


def _tell(address: str, metrics: str, tokens: str) -> None:
    where = {"address": address, "metrics": metrics, **told_of(tokens)}
    _log.info("serving", **where, version=moorage_server.__version__)


async def serve(
    settings: Settings, ending: Ending, tell: Callable[[str, str, str], None] = _tell
) -> None:
    """Serves until `ending`, then finishes the calls under way.

    Once it serves it tells where, where its metrics are, and the port for tokens alone. Raises
    BindError and Unreadable.
    """
    with tracing.traced() if settings.traces else contextlib.nullcontext():
        await _serve(settings, ending, tell)


async def _serve(settings: Settings, ending: Ending, tell: Callable[[str, str, str], None]) -> None:
    server = Server(settings)
    address = await server.start()
    _relieve_collector()
    tell(address, server.metrics_address, server.token_address)
    await ending.begun.wait()
    _log.info("going away")
    await server.go_away()
    # Whoever sends calls here hears of it meanwhile, and sends them elsewhere.
    await ending.rest(settings.drain_seconds)
    _log.info("stopping")
    limit = give_up_after(GRACE + LAST_TRANSACTIONS)
    await _stop(server, ending)
    limit.cancel()


async def _stop(server: Server, ending: Ending) -> None:
    stopping = asyncio.create_task(server.stop())
    hurrying = asyncio.create_task(ending.again())
    await asyncio.wait((stopping, hurrying), return_when=asyncio.FIRST_COMPLETED)
    hurrying.cancel()
    if not stopping.done():
        await server.hurry()
    await stopping


def _relieve_collector() -> None:
    # What is there by now stays. A batch makes thousands of objects, nearly all of which go by
    # themselves: looking for cycles after every 700, as is usual, took an eighth of a call.
    gc.freeze()
    gc.set_threshold(20_000)
