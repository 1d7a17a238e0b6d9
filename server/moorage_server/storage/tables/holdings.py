"""Tables of what is held: blocks, attachments, allocations."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from moorage_server.storage.tables import columns

_CAPACITY = "1 << (CASE family(cidr) WHEN 4 THEN 32 ELSE 128 END - masklen(cidr))"

blocks = sa.Table(
    "blocks",
    columns.metadata,
    columns.vrf(),
    sa.Column("cidr", pg.CIDR, primary_key=True),
    sa.Column("pool_id", sa.BigInteger, nullable=False),
    sa.Column("pool_cidr", pg.CIDR, nullable=False),
    sa.Column("node", sa.Text),
    columns.time("claim_time"),
    columns.time("change_time"),
    # Free ordinals, the one longest unused first.
    sa.Column("free", pg.ARRAY(sa.SmallInteger), nullable=False),
    # Ordinals released too short a time ago to be free for everybody, each with the
    # tick it is ready at and whose it was: [[ordinal, ready_tick, owner], ...].
    columns.json("cooling", "[]"),
    # Ordinals released and kept for their owners: [[ordinal, ready_tick, owner_key,
    # network, interface, cooled_tick], ...].
    columns.json("sticky", "[]"),
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
    columns.metadata,
    # One attachment, one row: the uid is made of the natural key, so the primary
    # key is unique in both, without a second index on the longest columns.
    sa.Column("uid", pg.UUID, primary_key=True),
    columns.vrf(),
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
    columns.text("node"),
    columns.text("namespace"),
    columns.text("pod"),
    columns.text("pod_uid"),
    columns.text("cluster"),
    columns.text("owner_key"),
    sa.Column("sticky_seconds", sa.Integer, nullable=False, server_default="0"),
    sa.Column("use", sa.Text, nullable=False),
    columns.json("labels", "{}"),
    columns.time("change_time"),
    columns.of_vrf("attachments"),
    sa.CheckConstraint(
        "uid = CAST(encode(substring(sha256(convert_to(vrf_id || '/' || network || '/'"
        " || container_id || '/' || interface, 'UTF8')) FOR 16), 'hex') AS uuid)",
        name="uid",
    ),
    columns.one_of("state", "HELD", "RELEASED"),
    columns.one_of("use", "WORKLOAD", "TUNNEL", "LOAD_BALANCER"),
    sa.CheckConstraint("(boot_id IS NULL) = (boot_time_ns IS NULL)", name="attempt"),
    sa.CheckConstraint(
        "(assign_boot_id IS NULL) = (assign_boot_time_ns IS NULL)", name="assign_attempt"
    ),
    sa.CheckConstraint("sticky_seconds = 0 OR owner_key <> ''", name="sticky_seconds"),
    sa.Index("attachments_container_idx", "container_id", "vrf_id"),
    # Whoever is looked for by these holds something; tombstones may be many times as many. Each is
    # only for who asks for its own column: a part of a table seems short, and good for anything.
    sa.Index(
        "attachments_held_pod_idx",
        "namespace",
        "pod",
        "vrf_id",
        postgresql_where=sa.text("state = 'HELD' AND namespace <> ''"),
    ),
    sa.Index(
        "attachments_held_node_idx",
        "node",
        "vrf_id",
        postgresql_where=sa.text("state = 'HELD' AND node <> ''"),
    ),
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

allocations = sa.Table(
    "allocations",
    columns.metadata,
    columns.vrf(),
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
    sa.CheckConstraint(columns.CANONICAL_ADDRESS, name="canonical"),
    sa.CheckConstraint("generation > 0", name="generation"),
    postgresql_with={"autovacuum_vacuum_scale_factor": "0.02"},
)
