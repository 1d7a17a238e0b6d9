"""What a server does when PostgreSQL says that what it stores may be corrupt."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

from moorage_server.domain import errors
from moorage_server.storage import database
from moorage_server.usecases import quarantine

TIME = 5.0  # seconds

Calling = Callable[[Callable[[], list[str]]], Awaitable[list[str]]]  # in a database thread

_log = structlog.get_logger()


async def shut(
    call: Calling, store: database.Database, error: database.Corrupt, vrf: str = ""
) -> None:
    """Puts a VRF in quarantine and says so, all of them where none is named.

    Where that fails as well, it says that.
    """
    limits = database.Limits.until(time.monotonic() + TIME)
    try:
        async with asyncio.timeout(TIME):
            begun = await call(lambda: quarantine.corrupt(store, limits, error, vrf))
    except (errors.IpamError, database.Fault, TimeoutError) as failure:
        why = str(failure) or "no commit comes through"
        _log.error("what is stored may be corrupt; no VRF is shut", vrf=vrf or "any", why=why)
        return
    for each in begun:
        _log.error(
            "what is stored may be corrupt; the VRF is in quarantine",
            vrf=each,
            what=str(error),
            next="moorctl quarantine show",
        )
