"""What an operator has done once after restoring a backup."""

import time

from moorage_server.domain import errors
from moorage_server.storage import database, schema
from moorage_server.usecases import quarantine, readiness

TIME = 60.0  # seconds


class NotChecked(Exception):
    """Nothing was changed, or it is not known; the message says why, and what to do."""


def check(database_url: str) -> dict[str, int]:
    """Puts every VRF in quarantine; returns how many lists each waits for.

    Raises NotChecked, or SettingsError.
    """
    store = database.Database(database_url, threads=1)
    limits = database.Limits.until(time.monotonic() + TIME)
    try:
        readiness.probe(store, limits, accepts_unsafe=True)
        return quarantine.restored(store, limits)
    except (errors.IpamError, database.Fault, readiness.NotReady, schema.SchemaError) as error:
        raise NotChecked(f"no VRF is known to be in quarantine: {error}; run it again") from error
    finally:
        store.close()
