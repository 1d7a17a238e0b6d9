"""Where a change is when it is acknowledged."""

import enum

from moorage_server.storage import statements
from moorage_server.storage.database import Transaction


class Durability(enum.Enum):
    """What an acknowledged change outlives."""

    NONE = "none"  # not even a crash of the primary
    LOCAL = "local"  # a crash of the primary, and not its loss
    SYNC = "sync"  # its loss, unless whoever manages the standbys has given up waiting for one
    SYNC_STRICT = "sync-strict"  # its loss: rather than that, nothing is acknowledged


# PostgreSQL does not know whether its manager would rather have it go on alone. The operator does,
# and says so once for all servers: ALTER DATABASE … SET moorage.strict = 'on'.
_IN_FORCE = statements.Statement("""
SELECT CASE
    WHEN current_setting('fsync') = 'off' OR current_setting('synchronous_commit') = 'off'
        THEN 'none'
    WHEN current_setting('synchronous_standby_names') = ''
        OR current_setting('synchronous_commit') NOT IN ('on', 'remote_apply') THEN 'local'
    WHEN current_setting('moorage.strict', true) = 'on' THEN 'sync-strict'
    ELSE 'sync' END
""")

# A transaction that has an id and wrote nothing waits for nobody.
_WRITE = statements.Statement("SELECT pg_logical_emit_message(true, 'moorage', '')")


def write(transaction: Transaction) -> None:
    """Writes something, so that the commit waits for all that any commit does.

    Once that is acknowledged, what was read before was of a database that leads.
    """
    _WRITE.run(transaction)


def in_force(transaction: Transaction) -> Durability:
    """What holds for a change that is committed now."""
    return Durability(_IN_FORCE.value(transaction))
