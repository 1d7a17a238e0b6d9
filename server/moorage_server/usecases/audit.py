"""Who changed what of a VRF, also of one that is gone."""

from moorage_server.domain import audit
from moorage_server.storage import changes, database


def page(
    store: database.Database,
    limits: database.Limits,
    *,
    wanted: audit.Filter,
    before: int,
    size: int,
) -> tuple[list[audit.Change], bool]:
    """A page of changes, the newest first, and whether more follow."""
    found = store.run(
        lambda transaction: changes.page(transaction, wanted, before=before, limit=size + 1), limits
    )
    return found[:size], len(found) > size
