"""Whether this server can do its work now."""

from moorage_server.storage import database, durability, schema


class NotReady(Exception):
    """The database answers, but not as it should; the message says what to do."""


class Misfit(NotReady):
    """The database has the schema of another server."""


def probe(store: database.Database, limits: database.Limits) -> durability.Durability:
    """A write's round trip to the primary, at the right schema; raises what is in the way.

    Returns what an acknowledged change outlives.
    """

    def work(transaction: database.Transaction) -> durability.Durability:
        schema.require_current(transaction)
        schema.require_writable(transaction)
        return durability.in_force(transaction)

    try:
        return store.run(work, limits)
    except schema.Misfit as error:
        raise Misfit(str(error)) from error
    except schema.SchemaError as error:
        raise NotReady(str(error)) from error
