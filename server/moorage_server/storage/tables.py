"""The tables, and the name of every constraint that code reacts to.

`migrations/` creates them; a test proves that both describe one schema. Every key
contains the VRF, so that the schema can be distributed by it. At most one key of a
table that grows with the pods begins with it, and statements give the other columns
of a key as values, not as a join: a planner that does not know yet how large a table
will be takes any index, or any part of it, that begins with a known value, and keeps
the plan.
"""

import enum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

SERVICE_ROLE = "moorage_service"

metadata = sa.MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    }
)


class Constraint(enum.StrEnum):
    """Constraints whose violation is an answer; that of any other is a fault."""

    VRF_NAME = "vrfs_name_key"
    POOL_NAME = "pools_vrf_id_name_key"
    POOL_CIDR = "pools_no_overlap"
    RESERVATION_NAME = "reservations_pkey"


Column = sa.Column[Any]  # a table's columns are of many types; statements name them


def _text(name: str) -> Column:
    return sa.Column(name, sa.Text, nullable=False, server_default="")


def _time(name: str) -> Column:
    # now() stands still inside a transaction; a fact carries the time it became so.
    default = sa.text("clock_timestamp()")
    return sa.Column(name, sa.TIMESTAMP(timezone=True), nullable=False, server_default=default)


def _name(*, key: bool = False) -> Column:
    # Listings are in order of name, the same one in every database.
    return sa.Column("name", sa.Text(collation="C"), primary_key=key, nullable=False)


def _json(name: str, empty: str) -> Column:
    return sa.Column(name, pg.JSONB, nullable=False, server_default=sa.text(f"'{empty}'"))


def _vrf(*, key: bool = True) -> Column:
    return sa.Column("vrf_id", sa.Integer, primary_key=key, nullable=False)


def _of_vrf(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["vrf_id"], ["vrfs.vrf_id"], name=f"{table}_vrf_fkey")


def _stored() -> list[Column]:
    uid = sa.Column("uid", pg.UUID, nullable=False, server_default=sa.text("gen_random_uuid()"))
    version = sa.Column("version", sa.BigInteger, nullable=False, server_default="1")
    return [uid, version, _time("create_time"), _time("update_time"), _json("labels", "{}")]


def _one_of(column: str, *values: str) -> sa.CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=column)


def _of_released(name: str, *columns: str | sa.TextClause, having: str = "") -> sa.Index:
    condition = "kind = 'RELEASED'" + (f" AND {having} <> ''" if having else "")
    return sa.Index(name, *columns, postgresql_where=sa.text(condition))


vrfs = sa.Table(
    "vrfs",
    metadata,
    sa.Column("vrf_id", sa.Integer, sa.Identity(always=True), primary_key=True),
    _name(),
    _text("description"),
    sa.Column("strict_affinity", sa.Boolean, nullable=False, server_default="false"),
    sa.Column("auto_allocate_blocks", sa.Boolean, nullable=False, server_default="true"),
    sa.Column("max_blocks_per_node", sa.Integer, nullable=False, server_default="0"),
    sa.Column("cooldown_seconds", sa.Integer, nullable=False, server_default="0"),
    sa.Column("history_retention_days", sa.Integer, nullable=False, server_default="400"),
    # Which history a cursor is of: drawn anew where state has gone back in time.
    sa.Column("epoch", pg.UUID, nullable=False, server_default=sa.text("gen_random_uuid()")),
    # Drawn anew with every change of the VRF, its pools and reservations, so that a
    # compiled catalog is known to be current by one value. Random, because a number
    # that counts comes back with other content after a failover or a restore.
    sa.Column(
        "catalog_version", pg.UUID, nullable=False, server_default=sa.text("gen_random_uuid()")
    ),
    *_stored(),
    sa.UniqueConstraint("name"),
    sa.CheckConstraint("auto_allocate_blocks OR strict_affinity", name="auto_allocate_blocks"),
    sa.CheckConstraint(
        "max_blocks_per_node = 0 OR strict_affinity AND max_blocks_per_node BETWEEN 1 AND 1000000",
        name="max_blocks_per_node",
    ),
    sa.CheckConstraint("cooldown_seconds BETWEEN 0 AND 1200", name="cooldown_seconds"),
    sa.CheckConstraint("history_retention_days BETWEEN 0 AND 36500", name="history_retention_days"),
)

pools = sa.Table(
    "pools",
    metadata,
    _vrf(),
    sa.Column("pool_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    _name(),
    sa.Column("cidr", pg.CIDR, nullable=False),
    sa.Column("block_size", sa.SmallInteger, nullable=False),
    sa.Column("node_selector", sa.Text, nullable=False),
    _text("namespace_selector"),
    sa.Column("allowed_uses", pg.ARRAY(sa.Text), nullable=False),
    sa.Column("assignment_mode", sa.Text, nullable=False),
    sa.Column("disabled", sa.Boolean, nullable=False),
    sa.Column("state", sa.Text, nullable=False, server_default="ACTIVE"),
    sa.Column("block_affinity", sa.Text, nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("result_form", sa.Text, nullable=False),
    sa.Column("gateway", pg.INET),
    _json("routes", "[]"),
    _json("dns", "{}"),
    sa.Column("excluded_ranges", pg.ARRAY(sa.Text), nullable=False),
    sa.Column("exclude_network_addresses", sa.Boolean, nullable=False),
    sa.Column("cooldown_seconds", sa.Integer),
    sa.Column("cooldown_policy", sa.Text, nullable=False, server_default="REFUSE"),
    *_stored(),
    _of_vrf("pools"),
    sa.UniqueConstraint("vrf_id", "name"),
    sa.UniqueConstraint("vrf_id", "pool_id", "cidr"),
    pg.ExcludeConstraint(
        (sa.column("vrf_id"), "="),
        (sa.column("cidr"), "&&"),
        name=Constraint.POOL_CIDR,
        using="gist",
        ops={"cidr": "inet_ops"},
    ),
    sa.CheckConstraint(
        "block_size >= masklen(cidr) AND CASE family(cidr)"
        " WHEN 4 THEN block_size BETWEEN 20 AND 32 ELSE block_size BETWEEN 116 AND 128 END",
        name="block_size",
    ),
    sa.CheckConstraint("gateway <<= cidr", name="gateway"),
    _one_of("assignment_mode", "AUTOMATIC", "MANUAL"),
    _one_of("state", "ACTIVE", "DRAINING"),
    _one_of("block_affinity", "NODE", "NONE"),
    _one_of("result_form", "HOST", "BLOCK", "POOL"),
    sa.CheckConstraint("cooldown_seconds BETWEEN 0 AND 1200", name="cooldown_seconds"),
    _one_of("cooldown_policy", "REFUSE", "YIELD"),
)

pool_frontiers = sa.Table(
    "pool_frontiers",
    metadata,
    _vrf(),
    sa.Column("pool_id", sa.BigInteger, primary_key=True),
    # Indexes of blocks that are not open; numeric, because an IPv6 pool may
    # have more of them than 64 bits count. Beside the pool, not in it: this
    # row is locked whenever a block is opened.
    sa.Column("unused", pg.NUMMULTIRANGE, nullable=False),
    sa.ForeignKeyConstraint(
        ["vrf_id", "pool_id"],
        ["pools.vrf_id", "pools.pool_id"],
        name="pool_frontiers_pool_fkey",
        ondelete="CASCADE",
    ),
)

reservations = sa.Table(
    "reservations",
    metadata,
    _vrf(),
    _name(key=True),
    sa.Column("cidrs", pg.ARRAY(pg.CIDR), nullable=False),
    _text("description"),
    sa.Column("expire_time", sa.TIMESTAMP(timezone=True)),
    _text("owner_key"),
    *_stored(),
    _of_vrf("reservations"),
    sa.CheckConstraint("cardinality(cidrs) BETWEEN 1 AND 256", name="cidrs"),
)

nodes = sa.Table(
    "nodes",
    metadata,
    _vrf(),
    _name(key=True),
    *_stored(),
    _of_vrf("nodes"),
)

_CAPACITY = "1 << (CASE family(cidr) WHEN 4 THEN 32 ELSE 128 END - masklen(cidr))"

blocks = sa.Table(
    "blocks",
    metadata,
    _vrf(),
    sa.Column("cidr", pg.CIDR, primary_key=True),
    sa.Column("pool_id", sa.BigInteger, nullable=False),
    sa.Column("pool_cidr", pg.CIDR, nullable=False),
    sa.Column("node", sa.Text),
    _time("claim_time"),
    _time("change_time"),
    # Free ordinals, the one longest unused first.
    sa.Column("free", pg.ARRAY(sa.SmallInteger), nullable=False),
    # Ordinals released too short a time ago to be free for everybody, each with the
    # tick it is ready at and whose it was: [[ordinal, ready_tick, owner], ...].
    _json("cooling", "[]"),
    # Ordinals released and kept for their owners: [[ordinal, ready_tick, owner_key,
    # network, interface, cooled_tick], ...].
    _json("sticky", "[]"),
    # When the first of both is ready.
    sa.Column("next_ready_tick", sa.BigInteger),
    # Both change only when the block fills up or empties out, so that other updates
    # of `free` touch no index.
    sa.Column(
        "has_room",
        sa.Boolean,
        sa.Computed("cardinality(free) > 0", persisted=True),
        nullable=False,
    ),
    sa.Column(
        "is_empty",
        sa.Boolean,
        sa.Computed(f"cardinality(free) = {_CAPACITY}", persisted=True),
        nullable=False,
    ),
    sa.ForeignKeyConstraint(
        ["vrf_id", "pool_id", "pool_cidr"],
        ["pools.vrf_id", "pools.pool_id", "pools.cidr"],
        name="blocks_pool_fkey",
    ),
    pg.ExcludeConstraint(
        (sa.column("cidr"), "&&"),
        (sa.column("vrf_id"), "="),
        name="blocks_no_overlap",
        using="gist",
        ops={"cidr": "inet_ops"},
    ),
    sa.CheckConstraint("cidr <<= pool_cidr", name="inside_pool"),
    sa.CheckConstraint(
        "cardinality(free) + jsonb_array_length(cooling) + jsonb_array_length(sticky)"
        f" <= {_CAPACITY}",
        name="free",
    ),
    sa.CheckConstraint(
        "(cooling = '[]' AND sticky = '[]') = (next_ready_tick IS NULL)", name="next_ready_tick"
    ),
    sa.Index("blocks_room_idx", "pool_id", "vrf_id", "cidr", postgresql_where=sa.text("has_room")),
    sa.Index(
        "blocks_node_room_idx",
        "node",
        "vrf_id",
        "pool_id",
        "cidr",
        postgresql_where=sa.text("has_room AND node IS NOT NULL"),
    ),
    sa.Index("blocks_empty_idx", "pool_id", "vrf_id", "cidr", postgresql_where=sa.text("is_empty")),
    sa.Index(
        "blocks_ready_idx",
        "pool_id",
        "vrf_id",
        "next_ready_tick",
        postgresql_where=sa.text("next_ready_tick IS NOT NULL"),
    ),
    # By owner, whatever the number of blocks; and in order of address, for listings.
    sa.Index(
        "blocks_owner_idx",
        "sticky",
        postgresql_using="gin",
        postgresql_ops={"sticky": "jsonb_path_ops"},
        postgresql_where=sa.text("sticky <> '[]'"),
    ),
    sa.Index("blocks_sticky_idx", "cidr", "vrf_id", postgresql_where=sa.text("sticky <> '[]'")),
    sa.Index(
        "blocks_unowned_room_idx",
        "pool_id",
        "vrf_id",
        "cidr",
        postgresql_where=sa.text("has_room AND node IS NULL"),
    ),
    sa.Index("blocks_node_idx", "node", "vrf_id", postgresql_where=sa.text("node IS NOT NULL")),
    postgresql_with={"fillfactor": "50", "autovacuum_vacuum_scale_factor": "0.02"},
)

attachments = sa.Table(
    "attachments",
    metadata,
    # One attachment, one row: the uid is made of the natural key, so the primary
    # key is unique in both, without a second index on the longest columns.
    sa.Column("uid", pg.UUID, primary_key=True),
    _vrf(),
    sa.Column("network", sa.Text, nullable=False),
    sa.Column("container_id", sa.Text, nullable=False),
    sa.Column("interface", sa.Text, nullable=False),
    # HELD, or RELEASED: a tombstone, which fences attempts that began earlier.
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("boot_id", sa.Text),
    sa.Column("boot_time_ns", sa.BigInteger),
    # Of its newest assign, also when a release has come since: which sandbox of a pod
    # is the newer one is a matter of when they were made, not of when they went.
    sa.Column("assign_boot_id", sa.Text),
    sa.Column("assign_boot_time_ns", sa.BigInteger),
    _text("node"),
    _text("namespace"),
    _text("pod"),
    _text("pod_uid"),
    _text("owner_key"),
    sa.Column("sticky_seconds", sa.Integer, nullable=False, server_default="0"),
    sa.Column("use", sa.Text, nullable=False),
    _json("labels", "{}"),
    _time("change_time"),
    _of_vrf("attachments"),
    sa.CheckConstraint(
        "uid = CAST(encode(substring(sha256(convert_to(vrf_id || '/' || network || '/'"
        " || container_id || '/' || interface, 'UTF8')) FOR 16), 'hex') AS uuid)",
        name="uid",
    ),
    _one_of("state", "HELD", "RELEASED"),
    _one_of("use", "WORKLOAD", "TUNNEL", "LOAD_BALANCER"),
    sa.CheckConstraint("(boot_id IS NULL) = (boot_time_ns IS NULL)", name="attempt"),
    sa.CheckConstraint(
        "(assign_boot_id IS NULL) = (assign_boot_time_ns IS NULL)", name="assign_attempt"
    ),
    sa.CheckConstraint("sticky_seconds = 0 OR owner_key <> ''", name="sticky_seconds"),
    sa.Index("attachments_container_idx", "container_id", "vrf_id"),
    sa.Index("attachments_pod_idx", "namespace", "pod", "vrf_id"),
    sa.Index("attachments_node_idx", "node", "vrf_id"),
    sa.Index(
        "attachments_pod_uid_idx", "pod_uid", "vrf_id", postgresql_where=sa.text("pod_uid <> ''")
    ),
    sa.Index(
        "attachments_owner_idx", "owner_key", "vrf_id", postgresql_where=sa.text("owner_key <> ''")
    ),
    sa.Index(
        "attachments_tombstone_idx",
        "change_time",
        postgresql_where=sa.text("state = 'RELEASED'"),
    ),
    postgresql_with={"fillfactor": "70", "autovacuum_vacuum_scale_factor": "0.02"},
)

# One address, one row, whatever the code believes: written in the two families'
# host masks only, and never as an IPv4-mapped IPv6 address.
CANONICAL_ADDRESS = (
    "masklen(address) = CASE family(address) WHEN 4 THEN 32 ELSE 128 END"
    " AND NOT address <<= '::ffff:0.0.0.0/96'::inet"
)

allocations = sa.Table(
    "allocations",
    metadata,
    _vrf(),
    sa.Column("address", pg.INET, primary_key=True),
    sa.Column("block", pg.CIDR, nullable=False),
    sa.Column("attachment_uid", pg.UUID, nullable=False),
    sa.Column("position", sa.SmallInteger, nullable=False),
    sa.Column("generation", sa.BigInteger, nullable=False),
    sa.Column("assign_time", sa.TIMESTAMP(timezone=True), nullable=False),
    # It was still cooling when it was assigned.
    sa.Column("yielded", sa.Boolean, nullable=False, server_default="false"),
    # Since when the lists of its node lack it. Of this generation alone: whoever holds
    # the address next is not under suspicion.
    sa.Column("suspect_tick", sa.BigInteger),
    sa.ForeignKeyConstraint(
        ["vrf_id", "block"], ["blocks.vrf_id", "blocks.cidr"], name="allocations_block_fkey"
    ),
    sa.ForeignKeyConstraint(
        ["attachment_uid", "vrf_id"],
        ["attachments.uid", "attachments.vrf_id"],
        name="allocations_attachment_fkey",
    ),
    sa.UniqueConstraint("attachment_uid", "vrf_id", "position"),
    # For the foreign key: who deletes a block asks whether addresses of it are held.
    sa.Index("allocations_block_idx", "block", "vrf_id"),
    # The history goes on in this order from what is over to what is held.
    sa.Index("allocations_generation_idx", "generation", "vrf_id"),
    sa.CheckConstraint("address <<= block", name="inside_block"),
    sa.CheckConstraint(CANONICAL_ADDRESS, name="canonical"),
    sa.CheckConstraint("generation > 0", name="generation"),
    postgresql_with={"autovacuum_vacuum_scale_factor": "0.02"},
)

# History: one row per change, written in the transaction of the change. The
# service's role may add to it and read it, nothing else. The id is the address's
# generation: it is drawn under the lock of the address's block, so for one
# address ids grow in the order of the changes.
event_ids = sa.Sequence("events_event_id_seq", metadata=metadata, cache=1)

events = sa.Table(
    "events",
    metadata,
    _vrf(key=False),
    sa.Column("event_id", sa.BigInteger, server_default=event_ids.next_value(), nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("cause", sa.Text, nullable=False),
    _time("event_time"),
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
    _text("node"),
    _text("namespace"),
    _text("pod"),
    _text("pod_uid"),
    _text("owner_key"),
    sa.Column("use", sa.Text, nullable=False),
    _json("labels", "{}"),
    sa.PrimaryKeyConstraint("event_id", "vrf_id", "event_time"),
    _one_of("kind", "ASSIGNED", "RELEASED"),
    _one_of("cause", "REQUESTED", "SUPERSEDED", "RECONCILED", "ADOPTED"),
    sa.CheckConstraint(CANONICAL_ADDRESS, name="canonical"),
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
    metadata,
    _vrf(),
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
    metadata,
    sa.Column("vrf_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
)

# One row: every event up to this one has its revision, or never was.
fence = sa.Table(
    "fence",
    metadata,
    sa.Column("event_id", sa.BigInteger, nullable=False),
    sa.Column("one", sa.Boolean, primary_key=True, server_default="true"),
    sa.CheckConstraint("one", name="one"),
)

# One row: the time that cool-downs, retentions and graces are measured in. At least
# a second lies between two of its values, whatever any clock does.
ticks = sa.Table(
    "ticks",
    metadata,
    sa.Column("tick", sa.BigInteger, nullable=False),
    sa.Column("one", sa.Boolean, primary_key=True, server_default="true"),
    sa.CheckConstraint("one", name="one"),
)
