"""Whether this server can do its work now."""

from moorage_server.domain import diagnosis
from moorage_server.storage import condition, database, durability, schema


class NotReady(Exception):
    """The database answers, but not as it should; the message says what to do."""


class Misfit(NotReady):
    """The database has the schema of another server."""


class Unsafe(NotReady):
    """What is acknowledged would be lost by a crash, or could be changed afterwards."""


def probe(
    store: database.Database, limits: database.Limits, *, accepts_unsafe: bool
) -> durability.Durability:
    """A write's round trip to the primary, at the right schema; raises what is in the way.

    Returns what an acknowledged change outlives.
    """

    def work(transaction: database.Transaction) -> durability.Durability:
        schema.require_current(transaction)
        if not accepts_unsafe:
            _require_safe(condition.facts(transaction, needed=0))
        schema.require_writable(transaction)
        return durability.in_force(transaction)

    try:
        return store.run(work, limits)
    except schema.Misfit as error:
        raise Misfit(str(error)) from error
    except schema.SchemaError as error:
        raise NotReady(str(error)) from error


def _require_safe(facts: diagnosis.Facts) -> None:
    if found := diagnosis.unsafe(facts):
        told = "; ".join(f"{each.about}: {each.found}: {each.advice}" for each in found)
        raise Unsafe(f"{told}; or try things out with --unsafe-database")
