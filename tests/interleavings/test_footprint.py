"""What statements touch, and which of them may swap places."""

import pytest

from interleavings import footprint
from moorage_server.storage import locks

LOCK = "SELECT pg_advisory_xact_lock(%(class)s, %(number)s)"
BOTH = "SELECT pg_advisory_xact_lock_shared(class, number) FROM unnest(...)"


def of(statement: str, **parameters: object) -> footprint.Footprint:
    return footprint.of(statement, parameters)


def test_a_setting_of_the_own_session_touches_nothing() -> None:
    assert of("BEGIN; SET LOCAL lock_timeout = 1; SET LOCAL timezone = 'UTC'") == footprint.NONE


def test_parameters_and_columns_are_not_taken_for_tables() -> None:
    told = of("SELECT cidr FROM unnest(CAST(%(blocks)s AS cidr[])) JOIN pools p USING (pool_id)")
    assert told == footprint.Footprint(sees=frozenset({"pools"}))


def test_what_constraints_look_at_is_touched() -> None:
    written = of("INSERT INTO allocations (vrf_id) SELECT %(vrf_id)s")
    assert written.takes == {"allocations"}
    assert written.shares == {"attachments", "blocks"}
    deleted = of("DELETE FROM pools WHERE name = %(name)s")
    assert deleted.takes == {"pools", "pool_frontiers"}
    assert deleted.sees >= {"blocks", "pool_frontiers"}


def test_only_the_table_that_is_named_is_locked() -> None:
    told = of("SELECT 1 FROM attachments a LEFT JOIN allocations l ON true FOR UPDATE OF a")
    assert told.takes == {"attachments"}
    assert told.sees == {"attachments", "allocations"}


def test_advisory_locks_are_told_apart_by_class_and_number() -> None:
    one, other = (of(LOCK, **{"class": 1, "number": number}) for number in (7, 8))
    both = of(BOTH, classes="{3,1}", numbers="{7,7}", shared="{t,f}")
    assert one.conflicts(one)
    assert not one.conflicts(other)
    assert both.conflicts(one)
    assert not both.conflicts(other)


def test_the_interfaces_of_pods_are_locks_of_their_own() -> None:
    interface, attachment = locks.Class.POD_INTERFACE.value, locks.Class.ATTACHMENT.value
    both = of(BOTH, classes=f"{{{interface},{attachment}}}", numbers="{7,8}", shared="{f,f}")
    assert both.takes == {f"lock {interface} 7", f"lock {attachment} 8"}
    assert not both.conflicts(of(LOCK, **{"class": attachment, "number": 7}))


def test_of_a_snapshot_it_is_the_first_statement_that_sees() -> None:
    publishing = of("UPDATE allocations SET position = 1").committed()
    assert of("SELECT 1 FROM blocks").of_snapshot(begins=True).conflicts(publishing)
    assert of("SELECT 1 FROM allocations").of_snapshot(begins=False) == footprint.NONE


@pytest.mark.parametrize(
    ("one", "other", "conflicting"),
    [
        ("SELECT 1 FROM blocks", "UPDATE blocks SET node = NULL", False),
        ("SELECT 1 FROM blocks FOR UPDATE", "UPDATE blocks SET node = NULL", True),
        ("SELECT 1 FROM pools FOR KEY SHARE", "SELECT 1 FROM pools FOR SHARE", False),
        ("INSERT INTO blocks (cidr)", "DELETE FROM pools", True),
        ("SELECT 1 FROM nodes FOR UPDATE", "SELECT 1 FROM pools FOR UPDATE", False),
    ],
)
def test_statements_conflict_where_they_lock_the_same(
    one: str, other: str, conflicting: bool
) -> None:
    assert of(one).conflicts(of(other)) == of(other).conflicts(of(one)) == conflicting


def test_commit_conflicts_with_whoever_sees_what_it_publishes() -> None:
    writing, reading = of("UPDATE blocks SET node = NULL"), of("SELECT 1 FROM blocks")
    assert not writing.conflicts(reading)
    assert writing.committed().conflicts(reading)
    assert not writing.undone().conflicts(reading)
