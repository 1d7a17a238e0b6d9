"""How many addresses nodes and namespaces hold, and the right to give them more.

Counted only where a quota limits them. What they are given is counted under a lock of each name;
what they give back takes none, so a count may be too high by what is on its way back.
"""

from collections.abc import Collection

import sqlalchemy as sa

from moorage_server.domain.quotas import Holder, Kind
from moorage_server.storage import arrays, locks, statements

# By the index of the name alone, then attachment by attachment (decision 5).
_COUNT = """
SELECT asked.name, (
    SELECT coalesce(sum((SELECT count(*) FROM allocations l
        WHERE l.attachment_uid = a.uid AND l.vrf_id + 0 = :vrf_id)), 0)
    FROM attachments a WHERE a.{column} = asked.name AND a.vrf_id + 0 = :vrf_id
) AS held
FROM unnest(CAST(:names AS text[])) AS asked (name)
"""
_COUNTS = {kind: statements.Statement(_COUNT.format(column=kind.value)) for kind in Kind}


def count(
    connection: sa.Connection, vrf_id: int, wanted: Collection[Holder], *, waiting: bool
) -> dict[Holder, int]:
    """How much each holds; until the transaction ends nobody else gives them any.

    Without `waiting` those are left out whom another transaction gives something.
    """
    numbers = {each: locks.number(f"{vrf_id}/{each.kind}/{each.name}") for each in wanted}
    in_order = sorted(wanted, key=numbers.__getitem__)
    every = {each: (locks.Class.QUOTA, numbers[each]) for each in in_order}
    locked = locks.take_each(connection, every, waiting=waiting)
    counted: dict[Holder, int] = {}
    # Statements of their own, after the locks were given: else they would not see what
    # whoever had them last has committed.
    for kind, statement in _COUNTS.items():
        of = [each.name for each in locked if each.kind is kind]
        if of:
            rows = statement.rows(connection, {"vrf_id": vrf_id, "names": arrays.texts(of)})
            counted |= {Holder(kind, row.name): int(row.held) for row in rows}
    return counted
