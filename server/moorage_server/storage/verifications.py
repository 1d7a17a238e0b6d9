"""When what is stored was looked at last, by whichever server, and which part of it is next."""

import enum
import ipaddress
from collections.abc import Mapping

import sqlalchemy as sa

from moorage_server.storage import consistency, locks, statements

_NAME = "rules"
_MOST_ADDRESSES = 4096  # in a part, but for one block that has more

# In ticks, which are seconds in which some server runs.
_AGES = statements.Statement("""
SELECT extent, (SELECT tick FROM ticks) - tick AS age FROM verifications
""")
_DONE = statements.Statement("""
UPDATE verifications SET tick = (SELECT tick FROM ticks) WHERE extent = :extent
""")
_DRAW = statements.Statement("""
SELECT cidr FROM (
    SELECT cidr, at, count, sum(2 ^ (CASE family(cidr) WHEN 4 THEN 32 ELSE 128 END - masklen(cidr)))
        OVER (ORDER BY at) AS addresses
    FROM (SELECT cidr, row_number() OVER (ORDER BY random()) AS at, count(*) OVER () AS count
        FROM blocks WHERE vrf_id = :vrf_id) AS shuffled) AS drawn
WHERE at = 1 OR at <= count / 100 AND addresses <= :most
""")


class Extent(enum.StrEnum):
    """How much of every VRF is looked at."""

    PART = "PART"
    WHOLE = "WHOLE"


def take(connection: sa.Connection) -> bool:
    """Takes the right to look until the transaction ends, unless somebody has it."""
    return locks.take(connection, locks.Class.RULES, _NAME, waiting=False)


def ages(connection: sa.Connection) -> dict[Extent, int]:
    """For how many seconds, in which some server ran, nobody has looked; first since the schema."""
    return {Extent(row.extent): row.age for row in _AGES.rows(connection)}


def due(connection: sa.Connection, periods: Mapping[Extent, int]) -> Extent | None:
    """What is to be looked at now, if anything; never what has a period of 0."""
    old = ages(connection)
    overdue = [each for each in Extent if 0 < periods[each] <= old[each]]
    return max(overdue, key=lambda each: each is Extent.WHOLE, default=None)


def done(connection: sa.Connection, extent: Extent) -> None:
    """So much has been looked at."""
    _DONE.run(connection, {"extent": extent.value})


def draw(connection: sa.Connection, vrf_id: int) -> consistency.Part:
    """One in a hundred blocks of a VRF, one at the least where there is any."""
    parameters = {"vrf_id": vrf_id, "most": _MOST_ADDRESSES}
    drawn = _DRAW.values(connection, parameters)
    return consistency.Part(tuple(ipaddress.ip_network(str(each)) for each in drawn))
