"""What tables are made of: the metadata, columns and constraints that several of them have."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

metadata = sa.MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    }
)


Column = sa.Column[Any]  # a table's columns are of many types; statements name them


def text(name: str) -> Column:
    """A text that is empty where nothing is said."""
    return sa.Column(name, sa.Text, nullable=False, server_default="")


def time(name: str) -> Column:
    """When something was so; the present moment unless told."""
    # now() stands still inside a transaction; a fact carries the time it became so.
    default = sa.text("clock_timestamp()")
    return sa.Column(name, sa.TIMESTAMP(timezone=True), nullable=False, server_default=default)


def name(*, key: bool = False) -> Column:
    """The id of a resource."""
    # Listings are in order of name, the same one in every database.
    return sa.Column("name", sa.Text(collation="C"), primary_key=key, nullable=False)


def json(name: str, empty: str) -> Column:
    """A JSON document."""
    return sa.Column(name, pg.JSONB, nullable=False, server_default=sa.text(f"'{empty}'"))


def vrf(*, key: bool = True) -> Column:
    """The VRF that a row belongs to, by default a part of its key."""
    return sa.Column("vrf_id", sa.Integer, primary_key=key, nullable=False)


def of_vrf(table: str) -> sa.ForeignKeyConstraint:
    """The VRF is there."""
    return sa.ForeignKeyConstraint(["vrf_id"], ["vrfs.vrf_id"], name=f"{table}_vrf_fkey")


def stored() -> list[Column]:
    """What every resource has."""
    uid = sa.Column("uid", pg.UUID, nullable=False, server_default=sa.text("gen_random_uuid()"))
    version = sa.Column("version", sa.BigInteger, nullable=False, server_default="1")
    return [uid, version, time("create_time"), time("update_time"), json("labels", "{}")]


def one_of(column: str, *values: str) -> sa.CheckConstraint:
    """A column has one of these values."""
    listed = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=column)


# One address, one row, whatever the code believes: written in the two families'
# host masks only, and never as an IPv4-mapped IPv6 address.
CANONICAL_ADDRESS = (
    "masklen(address) = CASE family(address) WHEN 4 THEN 32 ELSE 128 END"
    " AND NOT address <<= '::ffff:0.0.0.0/96'::inet"
)
