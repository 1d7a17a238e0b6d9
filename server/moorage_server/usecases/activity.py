"""What servers are doing in the database at the moment."""

import dataclasses
from collections.abc import Mapping

from moorage_server.storage import activity, database, verifications
from moorage_server.storage.verifications import Extent


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """Both in seconds: since when the oldest change is open, and since when nobody verified."""

    oldest_change: float
    verification_ages: Mapping[Extent, int]


def of_servers(store: database.Database, limits: database.Limits) -> Activity:
    """Of all of them together."""

    def work(transaction: database.Transaction) -> Activity:
        return Activity(
            oldest_change=activity.oldest_change(transaction),
            verification_ages=verifications.ages(transaction),
        )

    return store.run(work, limits)
