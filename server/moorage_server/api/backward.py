"""What a server does when it is shown that its database has gone back in time."""

import asyncio
import time

import structlog

from moorage_server.api.desk import Desk
from moorage_server.domain import errors, model
from moorage_server.storage import database
from moorage_server.usecases import quarantine

TIME = 5.0  # seconds

_log = structlog.get_logger()


async def shut(desk: Desk, vrf: str, seen: model.Position) -> bool:
    """Puts a VRF in quarantine if there is less of it than somebody has seen, and says so.

    Returns whether that is so and committed. Else nobody is to be told: what was read before may
    have been of a database that leads no more, and is behind the one that does.
    """
    limits = database.Limits.until(time.monotonic() + TIME)
    try:
        # A COMMIT that waits for a standby waits for as long as there is none.
        async with asyncio.timeout(TIME):
            begun = await desk.call(lambda: quarantine.went_back(desk.store, limits, vrf, seen))
    except (errors.IpamError, database.Fault, TimeoutError) as error:
        why = str(error) or "no commit comes through"
        _log.error("not known whether the database of a VRF went back", vrf=vrf, why=why)
        return False
    if begun:
        _log.error(
            "the database has gone back in time; the VRF is in quarantine",
            vrf=vrf,
            seen=seen.revision,
            next="moorctl quarantine show",
        )
    return begun
