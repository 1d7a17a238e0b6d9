"""The fence: which events have their final place in the feed, and the revisions they are given.

Ids of events are not the order in which they appear: a transaction that drew a low id
may commit after one that drew a higher one, and whoever had read on behind the higher
one would never see the low one. The order of transaction ids is no help either: one
that got its id early, and then waited for an address, would come out before the one
that it waited for. So events get revisions 1, 2, 3 and so on in order of their ids,
once none with a lower id can appear any more:

1. N is read, the last id that the sequence has given.
2. F is drawn, a transaction id of our own; the transaction ends, and is on the disk.
3. Until F and all that is older has ended, we wait, however long that takes: whoever
   begins later is younger, so others that come and go keep nobody waiting.
4. What is visible of the ids up to N is numbered; what is not will never be.

Why that is right: an event's id is drawn after its transaction has locked a row (the
block is locked before the event), and the sequence caches nothing. So each id up to N
was drawn before N was read, by a transaction that had its own id by then, which is
lower than F. A snapshot whose xmin has passed F was taken when all of those had ended;
the next statement sees what they committed, and the rest was rolled back. For one
address ids follow its block's lock, so its revisions are in the order of the changes.

Whether a transaction is older is asked of the whole cluster: one that writes for long,
in any database of it, holds the feed up. A snapshot's xmax would not do in step 2: it is
what came after the last transaction that *ended*, and lower ids may still be running.

One server at a time numbers, for all VRFs. The lock is taken before the fence is read,
in a statement of its own: the statement after sees what the last holder committed.
"""

import dataclasses

import sqlalchemy as sa

from moorage_server.storage import locks, statements

_NAME = "feed"  # one lock for all VRFs: what holds one of them up holds up all

# With which PostgreSQL it is, since it was started, and which of its databases.
_REACH = statements.Statement("""
SELECT f.event_id AS fenced, s.last_value AS drawn,
    pg_postmaster_start_time() || ' ' || d.oid AS place
FROM events_event_id_seq s CROSS JOIN fence f JOIN pg_database d ON d.datname = current_database()
WHERE s.is_called AND s.last_value > f.event_id
""")
_HERE = statements.Statement("""
SELECT pg_postmaster_start_time() || ' ' || d.oid = :place FROM pg_database d
WHERE d.datname = current_database()
""")
# With something written, so that the commit waits for the disk: after a crash neither N nor F, nor
# any lower id, is given again.
_HORIZON = statements.Statement("""
SELECT CAST(pg_current_xact_id() AS text) FROM pg_logical_emit_message(true, 'moorage', '')
""")
# Asked in transactions without an id of their own: a new snapshot for each statement.
_SETTLED = statements.Statement(
    "SELECT pg_snapshot_xmin(pg_current_snapshot()) > CAST(CAST(:horizon AS text) AS xid8)"
)
_FENCED = statements.Statement("SELECT event_id FROM fence")

# By a range of ids, however many are behind it: a plan made while there were few may take all.
_NUMBER = statements.Statement("""
WITH taken AS MATERIALIZED (
    SELECT e.vrf_id, e.event_id, e.event_time FROM events e
    WHERE e.event_id > :fenced AND e.event_id <= :upto
), numbered AS MATERIALIZED (
    SELECT t.vrf_id, t.event_id, t.event_time, coalesce(
        (SELECT h.revision FROM revision_heads h WHERE h.vrf_id = t.vrf_id), 0)
        + row_number() OVER (PARTITION BY t.vrf_id ORDER BY t.event_id) AS revision
    FROM taken t
), written AS (
    INSERT INTO revisions (vrf_id, revision, event_id, event_time)
    SELECT vrf_id, revision, event_id, event_time FROM numbered
), fenced AS (
    UPDATE fence SET event_id = :upto WHERE event_id = :fenced
)
INSERT INTO revision_heads (vrf_id, revision)
SELECT n.vrf_id, max(n.revision) FROM numbered n GROUP BY n.vrf_id
ON CONFLICT (vrf_id) DO UPDATE SET revision = excluded.revision
RETURNING vrf_id
""")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """The last id that was `drawn` before a transaction id, the `horizon`, in one `place`.

    In any other, a restored database or a promoted standby, both mean something else.
    """

    drawn: int
    horizon: str
    place: str


def reach(connection: sa.Connection) -> Reach | None:
    """What is to be numbered next; None where there is nothing new, and no id is drawn."""
    found = _REACH.row(connection)
    if found is None:
        return None
    # A statement of its own: the ids were drawn before the horizon is.
    horizon: str = _HORIZON.value(connection)
    return Reach(drawn=found.drawn, horizon=horizon, place=found.place)


def is_here(connection: sa.Connection, within: Reach) -> bool:
    """Whether a reach is of the database that this is a connection to."""
    return bool(_HERE.value(connection, {"place": within.place}))


def is_settled(connection: sa.Connection, within: Reach) -> bool:
    """Whether everybody has ended who may yet commit an id in reach."""
    return bool(_SETTLED.value(connection, {"horizon": within.horizon}))


def take(connection: sa.Connection) -> bool:
    """Takes the right to number until the transaction ends, unless somebody has it."""
    return locks.take(connection, locks.Class.FEED, _NAME, waiting=False)


def number(connection: sa.Connection, within: Reach, *, limit: int) -> tuple[list[int], bool]:
    """Numbers the settled events of at most `limit` ids in reach, by whoever has the right to.

    Returns the VRFs they are of, and whether that was all that is in reach.
    """
    # Another server may have come further meanwhile.
    fenced: int = _FENCED.value(connection)
    upto = min(within.drawn, fenced + limit)
    if upto <= fenced:
        return [], True
    parameters = {"fenced": fenced, "upto": upto}
    numbered = _NUMBER.values(connection, parameters)
    return numbered, upto == within.drawn
