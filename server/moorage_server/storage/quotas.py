"""How many addresses nodes and namespaces have, and the right to give them more.

Counted only where a quota limits them. What they are given is counted under a lock of each name;
what they give back takes none, so a count may be too high by what is on its way back.
"""

from collections.abc import Collection

import sqlalchemy as sa

from moorage_server.domain.quotas import Count, Holder, Keeping, Kind
from moorage_server.storage import arrays, locks, statements

# By the index of the name alone, without tombstones, then attachment by attachment (decision 5).
_COUNT = """
SELECT asked.name, (
    SELECT coalesce(sum((SELECT count(*) FROM allocations l
        WHERE l.attachment_uid = a.uid AND l.vrf_id + 0 = :vrf_id)), 0)
    FROM attachments a
    WHERE a.{column} = asked.name AND a.{column} <> '' AND a.state = 'HELD'
        AND a.vrf_id + 0 = :vrf_id
) AS held
FROM unnest(CAST(:names AS text[])) AS asked (name)
"""
# Of owners whose keys begin with a namespace. All blocks with anything kept are looked at, which is
# once for a batch where a namespace has a quota.
_KEPT = statements.Statement("""
SELECT asked.name, entry ->> 2 AS owner_key, entry ->> 3 AS network, entry ->> 4 AS interface,
    count(*) AS kept
FROM blocks b CROSS JOIN LATERAL jsonb_array_elements(b.sticky) AS entry
JOIN unnest(CAST(:names AS text[])) AS asked (name) ON starts_with(entry ->> 2, asked.name || '/')
WHERE b.sticky <> '[]' AND b.vrf_id + 0 = :vrf_id AND CAST(entry ->> 1 AS bigint) > :tick
GROUP BY 1, 2, 3, 4
""")
_COUNTS = {kind: statements.Statement(_COUNT.format(column=kind.value)) for kind in Kind}


def lock(
    connection: sa.Connection, vrf_id: int, wanted: Collection[Holder], *, waiting: bool
) -> set[Holder]:
    """Until the transaction ends nobody else gives these any; returns those who are locked.

    Without `waiting` those are left out whom another transaction gives something.
    """
    numbers = {each: locks.number(f"{vrf_id}/{each.kind}/{each.name}") for each in wanted}
    in_order = sorted(wanted, key=numbers.__getitem__)
    every = {each: (locks.Class.QUOTA, numbers[each]) for each in in_order}
    return locks.take_each(connection, every, waiting=waiting)


def count(
    connection: sa.Connection, vrf_id: int, holders: Collection[Holder], *, tick: int
) -> dict[Holder, Count]:
    """What each has.

    For good where they were locked by a statement before: else whoever had the lock last may have
    committed what this one does not see.
    """
    counted: dict[Holder, Count] = {}
    for kind, statement in _COUNTS.items():
        if names := [each.name for each in holders if each.kind is kind]:
            rows = statement.rows(connection, {"vrf_id": vrf_id, "names": arrays.texts(names)})
            counted |= {Holder(kind, row.name): Count(held=int(row.held)) for row in rows}
    # Only now: what is released meanwhile is counted twice rather than not at all.
    if namespaces := [each.name for each in holders if each.kind is Kind.NAMESPACE]:
        parameters = {"vrf_id": vrf_id, "names": arrays.texts(namespaces), "tick": tick}
        for row in _KEPT.rows(connection, parameters):
            keeping = Keeping(row.owner_key, row.network, row.interface)
            counted[Holder(Kind.NAMESPACE, row.name)].kept[keeping] = int(row.kept)
    return counted
