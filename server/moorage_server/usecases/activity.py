"""What servers are doing in the database at the moment."""

from moorage_server.storage import activity, database


def oldest_transaction(store: database.Database, limits: database.Limits) -> float:
    """For how many seconds the oldest transaction of any server has been open; 0 where none is."""
    return store.run(activity.oldest_transaction, limits)
