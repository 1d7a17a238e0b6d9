"""Tables of VRFs in which nothing new is assigned for now: why, and what they wait for."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from moorage_server.storage.tables import columns

# Those that are over stay, with who ended them and why.
quarantines = sa.Table(
    "quarantines",
    columns.metadata,
    columns.vrf(),
    sa.Column("quarantine_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("cause", sa.Text, nullable=False),
    columns.text("message"),
    # Of broken rules, those that were found: what somebody has looked at and let pass.
    sa.Column("findings", pg.ARRAY(sa.Text), nullable=False, server_default="{}"),
    columns.time("begin_time"),
    sa.Column("begin_tick", sa.BigInteger, nullable=False),
    sa.Column("end_time", sa.TIMESTAMP(timezone=True)),
    columns.text("end_reason"),
    columns.text("ended_by"),
    columns.of_vrf("quarantines"),
    columns.one_of("cause", "RESTORED", "WENT_BACK", "RULES_BROKEN"),
    sa.Index(
        "quarantines_open_idx",
        "vrf_id",
        "cause",
        unique=True,
        postgresql_where=sa.text("end_time IS NULL"),
    ),
)

# The lists of nodes that have not come yet.
awaited_lists = sa.Table(
    "awaited_lists",
    columns.metadata,
    columns.vrf(),
    sa.Column("node", sa.Text, primary_key=True),
    sa.Column("cluster", sa.Text, primary_key=True),
    sa.Column("network", sa.Text, primary_key=True),
    columns.of_vrf("awaited_lists"),
)

# What the lists that have come name, and nobody holds.
unknown_attachments = sa.Table(
    "unknown_attachments",
    columns.metadata,
    columns.vrf(),
    sa.Column("network", sa.Text, primary_key=True),
    sa.Column("container_id", sa.Text, primary_key=True),
    sa.Column("interface", sa.Text, primary_key=True),
    sa.Column("node", sa.Text, nullable=False),
    sa.Column("cluster", sa.Text, nullable=False),
    columns.of_vrf("unknown_attachments"),
)
