"""What a server does when PostgreSQL says that what it stores may be corrupt."""

import asyncio
import time

import structlog

from moorage_server.api.desk import Desk
from moorage_server.domain import errors
from moorage_server.storage import database
from moorage_server.usecases import quarantine

TIME = 5.0  # seconds

_log = structlog.get_logger()


async def shut(desk: Desk, vrf: str, error: database.Corrupt) -> None:
    """Puts a VRF in quarantine and says so; where that fails as well, it says that."""
    limits = database.Limits.until(time.monotonic() + TIME)
    try:
        async with asyncio.timeout(TIME):
            await desk.call(lambda: quarantine.corrupt(desk.store, limits, vrf, error))
    except (errors.IpamError, database.Fault, TimeoutError) as failure:
        why = str(failure) or "no commit comes through"
        _log.error("what is stored may be corrupt; the VRF is not shut", vrf=vrf, why=why)
        return
    _log.error(
        "what is stored may be corrupt; the VRF is in quarantine",
        vrf=vrf,
        what=str(error),
        next="moorctl quarantine show",
    )
