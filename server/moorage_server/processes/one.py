"""One process that serves: alone, or as one of several."""

import asyncio
import gc
from collections.abc import Callable

import structlog

import moorage_server
from moorage_server.api.server import Server
from moorage_server.config import Settings

_log = structlog.get_logger()


def _tell(address: str, metrics: str) -> None:
    _log.info("serving", address=address, metrics=metrics, version=moorage_server.__version__)


async def serve(
    settings: Settings, stopping: asyncio.Event, tell: Callable[[str, str], None] = _tell
) -> None:
    """Serves until `stopping`, then finishes the calls under way.

    Once it serves it tells where, and where its metrics are. Raises BindError.
    """
    server = Server(settings)
    address = await server.start()
    _relieve_collector()
    tell(address, server.metrics_address)
    await stopping.wait()
    _log.info("stopping")
    await server.stop()


def _relieve_collector() -> None:
    # What is there by now stays. A batch makes thousands of objects, nearly all of which go by
    # themselves: looking for cycles after every 700, as is usual, took an eighth of a call.
    gc.freeze()
    gc.set_threshold(20_000)
