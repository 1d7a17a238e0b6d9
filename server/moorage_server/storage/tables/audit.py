"""Tables of who changed what, which the service's role may add to and read, nothing else."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from moorage_server.storage.tables import columns

# Who makes changes. The uid is made of the rest, so whoever names one names the same in every
# database, and a row is no different for being written again. Once for each month in which
# somebody makes changes, so that what nobody is named by any more can go with its history.
actors = sa.Table(
    "actors",
    columns.metadata,
    sa.Column("uid", pg.UUID, primary_key=True),
    sa.Column("month", sa.Date, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("proof", sa.Text, nullable=False),
    columns.text("credential"),
    columns.text("source"),
    sa.CheckConstraint(
        "uid = CAST(encode(substring(sha256(convert_to(role || chr(10) || proof || chr(10)"
        " || credential || chr(10) || source || chr(10) || name, 'UTF8')) FOR 16), 'hex')"
        " AS uuid)",
        name="uid",
    ),
    columns.one_of("proof", "NONE", "CERTIFICATE", "TOKEN", "CERTIFICATE_AND_TOKEN", "SERVER"),
    # For giving up old ones alone, hence spelled so: a planner that does not know yet how many
    # there will be would look for one of them among all of the month.
    sa.Index("actors_month_idx", sa.text("(month + 0)")),
)

# Changes of what is administered, each written in its transaction; `before` and `after` have what
# has become another. Those of addresses are events.
changes = sa.Table(
    "changes",
    columns.metadata,
    sa.Column("change_id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    # By name, because it may be gone.
    sa.Column("vrf", sa.Text(collation="C"), primary_key=True),
    columns.time("change_time"),
    sa.Column("method", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    columns.name(),
    columns.text("reason"),
    columns.json("before", "{}"),
    columns.json("after", "{}"),
    sa.Column("actor_uid", pg.UUID, nullable=False),
    columns.text("request_id"),
    columns.one_of(
        "kind", "VRF", "POOL", "RESERVATION", "NODE", "BLOCK", "STICKY_ADDRESS", "QUARANTINE"
    ),
    sa.Index("changes_vrf_idx", "vrf", "change_id"),
    sa.Index("changes_name_idx", "name", "vrf", "change_id"),
    sa.Index("changes_change_time_idx", "change_time"),
)
