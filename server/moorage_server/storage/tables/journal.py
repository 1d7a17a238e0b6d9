"""Tables of what happened: events, the feed, and the time that is counted."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from moorage_server.storage.tables import columns


def _of_released(name: str, *columns: str | sa.TextClause, having: str = "") -> sa.Index:
    condition = "kind = 'RELEASED'" + (f" AND {having} <> ''" if having else "")
    return sa.Index(name, *columns, postgresql_where=sa.text(condition))


# History: one row per change, written in the transaction of the change. The
# service's role may add to it and read it, nothing else. The id is the address's
# generation: it is drawn under the lock of the address's block, so for one
# address ids grow in the order of the changes.
event_ids = sa.Sequence("events_event_id_seq", metadata=columns.metadata, cache=1)

events = sa.Table(
    "events",
    columns.metadata,
    columns.vrf(key=False),
    sa.Column("event_id", sa.BigInteger, server_default=event_ids.next_value(), nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("cause", sa.Text, nullable=False),
    columns.time("event_time"),
    sa.Column("address", pg.INET, nullable=False),
    sa.Column("block", pg.CIDR, nullable=False),
    sa.Column("pool", sa.Text, nullable=False),
    # Of the assignment that a release ends: one row then tells of a whole holding.
    sa.Column("assign_generation", sa.BigInteger),
    sa.Column("assign_time", sa.TIMESTAMP(timezone=True)),
    sa.Column("yielded", sa.Boolean, nullable=False, server_default="false"),
    sa.Column("network", sa.Text, nullable=False),
    sa.Column("container_id", sa.Text, nullable=False),
    sa.Column("interface", sa.Text, nullable=False),
    columns.text("node"),
    columns.text("namespace"),
    columns.text("pod"),
    columns.text("pod_uid"),
    columns.text("cluster"),
    columns.text("owner_key"),
    sa.Column("use", sa.Text, nullable=False),
    columns.json("labels", "{}"),
    # Who made the change; not known where a server of before wrote it. No foreign key, which would
    # lock the actor's row for each event: whoever writes events has seen it, and nobody who writes
    # them can take it out.
    sa.Column("actor_uid", pg.UUID),
    columns.text("request_id"),
    sa.PrimaryKeyConstraint("event_id", "vrf_id", "event_time"),
    columns.one_of("kind", "ASSIGNED", "RELEASED"),
    columns.one_of("cause", "REQUESTED", "SUPERSEDED", "RECONCILED", "ADOPTED"),
    sa.CheckConstraint(columns.CANONICAL_ADDRESS, name="canonical"),
    sa.CheckConstraint(
        "CASE kind WHEN 'RELEASED' THEN assign_generation < event_id AND assign_time IS NOT NULL"
        " ELSE assign_generation IS NULL AND assign_time IS NULL END",
        name="assignment",
    ),
    sa.Index("events_address_idx", "address", "vrf_id", "event_id"),
    # Whole holdings in order of their assignment, of all or of whom is asked for. That of
    # all is spelled in a way of its own: a planner that knows nothing of a new month yet
    # would rather read it from its beginning than by the index of whom is asked for.
    _of_released("events_holding_idx", sa.text("(assign_generation + 0)"), "vrf_id"),
    _of_released("events_held_address_idx", "address", "vrf_id", "assign_generation"),
    _of_released("events_pod_idx", "namespace", "pod", "vrf_id", "assign_generation", having="pod"),
    _of_released("events_node_idx", "node", "vrf_id", "assign_generation", having="node"),
    _of_released(
        "events_owner_idx", "owner_key", "vrf_id", "assign_generation", having="owner_key"
    ),
    _of_released("events_container_idx", "container_id", "vrf_id", "assign_generation"),
    # By the month of the change: what is too old goes a month at a time.
    postgresql_partition_by="RANGE (event_time)",
)

# The feed: which event has which revision, 1, 2, 3 and so on in each VRF. Written
# once no earlier event can appear any more.
revisions = sa.Table(
    "revisions",
    columns.metadata,
    columns.vrf(),
    sa.Column("revision", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("event_id", sa.BigInteger, nullable=False),
    sa.Column("event_time", sa.TIMESTAMP(timezone=True), nullable=False),
    sa.UniqueConstraint("event_id", "vrf_id"),
    sa.CheckConstraint("revision > 0", name="revision"),
    postgresql_with={"autovacuum_vacuum_scale_factor": "0.02"},
)

# Where the feed of each VRF is; no row before its first event.
revision_heads = sa.Table(
    "revision_heads",
    columns.metadata,
    sa.Column("vrf_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
)

# One row: every event up to this one has its revision, or never was.
fence = sa.Table(
    "fence",
    columns.metadata,
    sa.Column("event_id", sa.BigInteger, nullable=False),
    sa.Column("one", sa.Boolean, primary_key=True, server_default="true"),
    sa.CheckConstraint("one", name="one"),
)

# One row: the time that cool-downs, retentions and graces are measured in. At least
# a second lies between two of its values, whatever any clock does.
ticks = sa.Table(
    "ticks",
    columns.metadata,
    sa.Column("tick", sa.BigInteger, nullable=False),
    sa.Column("one", sa.Boolean, primary_key=True, server_default="true"),
    sa.CheckConstraint("one", name="one"),
)

# Which tick it was when all that is stored was held against its rules, or a part of it.
verifications = sa.Table(
    "verifications",
    columns.metadata,
    sa.Column("extent", sa.Text, primary_key=True),
    sa.Column("tick", sa.BigInteger, nullable=False),
    columns.one_of("extent", "PART", "WHOLE"),
)

# One row: the schema's oldest revision whose servers may still serve. A migration that takes
# something away raises it, one that only adds leaves it.
schema_floor = sa.Table(
    "schema_floor",
    columns.metadata,
    sa.Column("revision", sa.Text, nullable=False),
    sa.Column("one", sa.Boolean, primary_key=True, server_default="true"),
    sa.CheckConstraint("one", name="one"),
)
