"""What a server does when it is shown that its database has gone back in time."""

import time

import structlog

from moorage_server.api.desk import Desk
from moorage_server.domain import errors, model
from moorage_server.storage import database
from moorage_server.usecases import quarantine

TIME = 5.0  # seconds

_log = structlog.get_logger()


async def shut(desk: Desk, vrf: str, seen: model.Position) -> None:
    """Puts a VRF in quarantine if there is less of it than somebody has seen, and says so.

    Where that fails, whoever shows the same again has it tried again.
    """
    limits = database.Limits.until(time.monotonic() + TIME)
    try:
        begun = await desk.call(lambda: quarantine.went_back(desk.store, limits, vrf, seen))
    except (errors.IpamError, database.Fault) as error:
        why = str(error)
        _log.error("a VRF whose database went back is not in quarantine yet", vrf=vrf, why=why)
        return
    if begun:
        _log.error(
            "the database has gone back in time; the VRF is in quarantine",
            vrf=vrf,
            seen=seen.revision,
            next="moorctl quarantine show",
        )
