"""Tables of what is administered: VRFs, pools, reservations, nodes."""

import enum

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from moorage_server.storage.tables import columns


class Constraint(enum.StrEnum):
    """Constraints whose violation is an answer; that of any other is a fault."""

    VRF_NAME = "vrfs_name_key"
    POOL_NAME = "pools_vrf_id_name_key"
    POOL_CIDR = "pools_no_overlap"
    RESERVATION_NAME = "reservations_pkey"


vrfs = sa.Table(
    "vrfs",
    columns.metadata,
    sa.Column("vrf_id", sa.Integer, sa.Identity(always=True), primary_key=True),
    columns.name(),
    columns.text("description"),
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
    *columns.stored(),
    sa.Column("strict_namespaces", sa.Boolean, nullable=False, server_default="false"),
    columns.json("fixed_address_grants", "[]"),
    # Of what whoever holds, at most; 0 is no limit.
    sa.Column("addresses_per_node", sa.Integer, nullable=False, server_default="0"),
    sa.Column("addresses_per_namespace", sa.Integer, nullable=False, server_default="0"),
    columns.json("namespace_quotas", "[]"),
    sa.UniqueConstraint("name"),
    sa.CheckConstraint("auto_allocate_blocks OR strict_affinity", name="auto_allocate_blocks"),
    sa.CheckConstraint(
        "max_blocks_per_node = 0 OR strict_affinity AND max_blocks_per_node BETWEEN 1 AND 1000000",
        name="max_blocks_per_node",
    ),
    sa.CheckConstraint("cooldown_seconds BETWEEN 0 AND 1200", name="cooldown_seconds"),
    sa.CheckConstraint("addresses_per_node >= 0", name="addresses_per_node"),
    sa.CheckConstraint("addresses_per_namespace >= 0", name="addresses_per_namespace"),
    sa.CheckConstraint("history_retention_days BETWEEN 0 AND 36500", name="history_retention_days"),
)

pools = sa.Table(
    "pools",
    columns.metadata,
    columns.vrf(),
    sa.Column("pool_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    columns.name(),
    sa.Column("cidr", pg.CIDR, nullable=False),
    sa.Column("block_size", sa.SmallInteger, nullable=False),
    sa.Column("node_selector", sa.Text, nullable=False),
    columns.text("namespace_selector"),
    sa.Column("allowed_uses", pg.ARRAY(sa.Text), nullable=False),
    sa.Column("assignment_mode", sa.Text, nullable=False),
    sa.Column("disabled", sa.Boolean, nullable=False),
    sa.Column("state", sa.Text, nullable=False, server_default="ACTIVE"),
    sa.Column("block_affinity", sa.Text, nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("result_form", sa.Text, nullable=False),
    sa.Column("gateway", pg.INET),
    columns.json("routes", "[]"),
    columns.json("dns", "{}"),
    sa.Column("excluded_ranges", pg.ARRAY(sa.Text), nullable=False),
    sa.Column("exclude_network_addresses", sa.Boolean, nullable=False),
    sa.Column("cooldown_seconds", sa.Integer),
    sa.Column("cooldown_policy", sa.Text, nullable=False, server_default="REFUSE"),
    *columns.stored(),
    sa.Column("allowed_namespaces", pg.ARRAY(sa.Text), nullable=False, server_default="{}"),
    sa.Column("fixed_addresses", sa.Text, nullable=False, server_default="ANY"),
    columns.of_vrf("pools"),
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
    columns.one_of("assignment_mode", "AUTOMATIC", "MANUAL"),
    columns.one_of("state", "ACTIVE", "DRAINING"),
    columns.one_of("block_affinity", "NODE", "NONE"),
    columns.one_of("result_form", "HOST", "BLOCK", "POOL"),
    sa.CheckConstraint("cooldown_seconds BETWEEN 0 AND 1200", name="cooldown_seconds"),
    columns.one_of("cooldown_policy", "REFUSE", "YIELD"),
    columns.one_of("fixed_addresses", "ANY", "GRANTED", "NONE"),
)

pool_frontiers = sa.Table(
    "pool_frontiers",
    columns.metadata,
    columns.vrf(),
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
    columns.metadata,
    columns.vrf(),
    columns.name(key=True),
    sa.Column("cidrs", pg.ARRAY(pg.CIDR), nullable=False),
    columns.text("description"),
    sa.Column("expire_time", sa.TIMESTAMP(timezone=True)),
    columns.text("owner_key"),
    *columns.stored(),
    columns.of_vrf("reservations"),
    sa.CheckConstraint("cardinality(cidrs) BETWEEN 1 AND 256", name="cidrs"),
)

nodes = sa.Table(
    "nodes",
    columns.metadata,
    columns.vrf(),
    columns.name(key=True),
    *columns.stored(),
    columns.of_vrf("nodes"),
)
