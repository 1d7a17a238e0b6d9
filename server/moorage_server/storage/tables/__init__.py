"""The tables, and the name of every constraint that code reacts to.

`migrations/` creates them; a test proves that both describe one schema. Every key
contains the VRF, so that the schema can be distributed by it. At most one key of a
table that grows with the pods begins with it, and statements give the other columns
of a key as values, not as a join: a planner that does not know yet how large a table
will be takes any index, or any part of it, that begins with a known value, and keeps
the plan.
"""

from moorage_server.storage.tables.administration import (
    Constraint,
    nodes,
    pool_frontiers,
    pools,
    reservations,
    vrfs,
)
from moorage_server.storage.tables.audit import actors, changes
from moorage_server.storage.tables.columns import metadata
from moorage_server.storage.tables.holdings import allocations, attachments, blocks
from moorage_server.storage.tables.journal import (
    events,
    fence,
    revision_heads,
    revisions,
    schema_floor,
    ticks,
    verifications,
)
from moorage_server.storage.tables.quarantine import (
    awaited_lists,
    quarantines,
    unknown_attachments,
)

SERVICE_ROLE = "moorage_service"
READER_ROLE = "moorage_reader"

__all__ = [
    "READER_ROLE",
    "SERVICE_ROLE",
    "Constraint",
    "actors",
    "allocations",
    "attachments",
    "awaited_lists",
    "blocks",
    "changes",
    "events",
    "fence",
    "metadata",
    "nodes",
    "pool_frontiers",
    "pools",
    "quarantines",
    "reservations",
    "revision_heads",
    "revisions",
    "schema_floor",
    "ticks",
    "unknown_attachments",
    "verifications",
    "vrfs",
]
