"""CheckConsistency, through a real channel: every rule finds what breaks it, and nothing else."""

import time
from collections.abc import Iterator

import grpc
import pytest

import moorage
from api import refusals
from harness import calls, postgres, serving
from moorage.v1 import admin_service_pb2 as messages
from moorage.v1 import admin_service_pb2_grpc
from moorage_server.storage import consistency, rules

WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'
"""
RULES = [rule.name for rule in rules.RULES]

# Where a table's own constraints would keep it from being broken, they go first.
UNGUARDED = """
ALTER TABLE allocations DROP CONSTRAINT allocations_block_fkey,
    DROP CONSTRAINT allocations_attachment_fkey, DROP CONSTRAINT allocations_inside_block;
ALTER TABLE blocks DROP CONSTRAINT blocks_pool_fkey, DROP CONSTRAINT blocks_inside_pool;
"""

# What is done to a VRF where c1 holds 10.0.0.0 and fd00::, and 10.0.0.1 was released;
# the findings, as (rule, address, block) of each; a part of the first one's message.
BREAKAGES: dict[str, tuple[str, list[tuple[str, str, str]], str]] = {
    "an ordinal outside of its block": (
        "UPDATE blocks SET free = array_replace(free, 3::smallint, 4::smallint)"
        " WHERE cidr = '10.0.0.0/30'",
        [
            ("ordinal_out_of_range", "", "10.0.0.0/30"),
            ("address_lost", "10.0.0.3", "10.0.0.0/30"),
        ],
        "has 4 as a free ordinal",
    ),
    "a cooling ordinal that is no number": (
        'UPDATE blocks SET free = array_remove(free, 3::smallint), cooling = \'[["x", 1, ""]]\','
        " next_ready_tick = 1 WHERE cidr = '10.0.0.0/30'",
        [
            ("ordinal_out_of_range", "", "10.0.0.0/30"),
            ("address_lost", "10.0.0.3", "10.0.0.0/30"),
        ],
        "has no number as a cooling ordinal",
    ),
    "an address that is free twice": (
        "UPDATE blocks SET free = free || 2::smallint WHERE cidr = '10.0.0.0/30'",
        [("address_free_twice", "10.0.0.2", "10.0.0.0/30")],
        "10.0.0.2 is 2 times among the free ordinals",
    ),
    "an address that is cooling twice": (
        "UPDATE blocks SET free = '{2, 3}', cooling = '[[1, 1, \"\"], [1, 2, \"\"]]',"
        " next_ready_tick = 1 WHERE cidr = '10.0.0.0/30'",
        [("address_cooling_twice", "10.0.0.1", "10.0.0.0/30")],
        "10.0.0.1 is 2 times among the cooling ordinals",
    ),
    "an address that is free and cooling": (
        "UPDATE blocks SET cooling = '[[1, 1, \"\"]]',"
        " next_ready_tick = 1 WHERE cidr = '10.0.0.0/30'",
        [("address_free_and_cooling", "10.0.0.1", "10.0.0.0/30")],
        "10.0.0.1 is both free and cooling",
    ),
    "an address that is sticky twice": (
        'UPDATE blocks SET free = \'{2, 3}\', sticky = \'[[1, 1, "o", "n", "i", 0],'
        ' [1, 2, "o", "n", "i", 0]]\', next_ready_tick = 1 WHERE cidr = \'10.0.0.0/30\'',
        [("address_sticky_twice", "10.0.0.1", "10.0.0.0/30")],
        "10.0.0.1 is 2 times among the sticky ordinals",
    ),
    "an address that is free and sticky": (
        'UPDATE blocks SET sticky = \'[[1, 1, "o", "n", "i", 0]]\', next_ready_tick = 1'
        " WHERE cidr = '10.0.0.0/30'",
        [("address_free_and_sticky", "10.0.0.1", "10.0.0.0/30")],
        "10.0.0.1 is both free and sticky",
    ),
    "an address that is cooling and sticky": (
        'UPDATE blocks SET free = \'{2, 3}\', sticky = \'[[1, 1, "o", "n", "i", 0]]\','
        " cooling = '[[1, 1, \"\"]]', next_ready_tick = 1 WHERE cidr = '10.0.0.0/30'",
        [("address_cooling_and_sticky", "10.0.0.1", "10.0.0.0/30")],
        "10.0.0.1 is both cooling and sticky",
    ),
    "an address that is sticky and held": (
        'UPDATE blocks SET sticky = \'[[0, 1, "o", "n", "i", 0]]\', next_ready_tick = 1'
        " WHERE cidr = 'fd00::/126'",
        [("address_sticky_and_held", "fd00::", "fd00::/126")],
        "and sticky in block fd00::/126",
    ),
    "an address that is free and held": (
        "UPDATE blocks SET free = free || 0::smallint WHERE cidr = '10.0.0.0/30'",
        [("address_free_and_held", "10.0.0.0", "10.0.0.0/30")],
        "and free in block 10.0.0.0/30",
    ),
    "an address that is cooling and held": (
        "UPDATE blocks SET cooling = '[[0, 1, \"\"]]',"
        " next_ready_tick = 1 WHERE cidr = 'fd00::/126'",
        [("address_cooling_and_held", "fd00::", "fd00::/126")],
        "and cooling in block fd00::/126",
    ),
    "an address that is lost": (
        "UPDATE blocks SET free = array_remove(free, 2::smallint) WHERE cidr = '10.0.0.0/30'",
        [("address_lost", "10.0.0.2", "10.0.0.0/30")],
        "10.0.0.2 is neither free, cooling nor sticky",
    ),
    "a wrong time for the next look": (
        "UPDATE blocks SET free = '{2, 3}', cooling = '[[1, 5, \"\"]]',"
        " next_ready_tick = 3600 WHERE cidr = '10.0.0.0/30'",
        [("next_ready_tick_wrong", "", "10.0.0.0/30")],
        "the first is ready at tick 5",
    ),
    "a block that is gone": (
        "DELETE FROM blocks WHERE cidr = '10.0.0.0/30'",
        [("allocation_without_block", "10.0.0.0", "10.0.0.0/30"), ("frontier_miscounts", "", "")],
        "no such block is open",
    ),
    "an allocation of another block": (
        "UPDATE allocations SET block = '10.0.0.0/30' WHERE address = 'fd00::'",
        [
            ("address_lost", "fd00::", "fd00::/126"),
            ("allocation_outside_its_block", "fd00::", "10.0.0.0/30"),
        ],
        "fd00:: is neither",
    ),
    "an attachment that is gone": (
        "DELETE FROM attachments WHERE container_id = 'c1'",
        [
            ("allocation_without_attachment", "10.0.0.0", "10.0.0.0/30"),
            ("allocation_without_attachment", "fd00::", "fd00::/126"),
        ],
        "which is not there",
    ),
    "a block of another range": (
        "UPDATE blocks SET pool_id = (SELECT pool_id FROM pools WHERE name = 'other')"
        " WHERE cidr = '10.0.0.0/30'",
        [
            ("block_outside_its_pool", "", "10.0.0.0/30"),
            ("block_of_other_size", "", "10.0.0.0/30"),
            ("frontier_miscounts", "", ""),
            ("frontier_miscounts", "", ""),
        ],
        'block 10.0.0.0/30 is of pool "other" 10.9.0.0/24, and does not lie in it',
    ),
    "a block of no pool": (
        "UPDATE blocks SET pool_id = 999 WHERE cidr = '10.0.0.0/30'",
        [("block_outside_its_pool", "", "10.0.0.0/30"), ("frontier_miscounts", "", "")],
        "is of pool 999, which is not there",
    ),
    "a block of another size": (
        "UPDATE pools SET block_size = 29 WHERE name = 'four'",
        [("block_of_other_size", "", "10.0.0.0/30"), ("frontier_miscounts", "", "")],
        'not of the block size of pool "four", which is /29',
    ),
    "an open block at the frontier": (
        "UPDATE pool_frontiers SET unused = '{[0,1099511627776)}' WHERE pool_id ="
        " (SELECT pool_id FROM pools WHERE name = 'six')",
        [("block_open_and_unused", "", "fd00::/126")],
        "it can be opened again",
    ),
    "a block that is nowhere": (
        "UPDATE pool_frontiers SET unused = '{[2,64)}' WHERE pool_id ="
        " (SELECT pool_id FROM pools WHERE name = 'four')",
        [("frontier_miscounts", "", "")],
        'pool "four" has 64 blocks; 62 are at its frontier and 1 others are open',
    ),
    "a frontier that is gone": (
        "DELETE FROM pool_frontiers WHERE pool_id ="
        " (SELECT pool_id FROM pools WHERE name = 'other')",
        [("frontier_miscounts", "", "")],
        "0 are at its frontier and 0 others are open",
    ),
    "an attachment without addresses": (
        "UPDATE attachments SET state = 'HELD' WHERE container_id = 'c2'",
        [("attachment_held_without_addresses", "", "")],
        "attachment pods, c2, eth0 is HELD and holds no address",
    ),
    "a tombstone with addresses": (
        "UPDATE attachments SET state = 'RELEASED' WHERE container_id = 'c1'",
        [
            ("attachment_released_with_addresses", "10.0.0.0", "10.0.0.0/30"),
            ("attachment_released_with_addresses", "fd00::", "fd00::/126"),
        ],
        "pods, c1, eth0, which is RELEASED",
    ),
    "a generation that no event told of": (
        "UPDATE allocations SET generation = 999 WHERE address = '10.0.0.0'",
        [("allocation_not_newest_event", "10.0.0.0", "10.0.0.0/30")],
        "held at generation 999, and the newest event of it is ASSIGNED at generation",
    ),
    "an allocation without a history": (
        "DELETE FROM events WHERE address = 'fd00::'",
        [("allocation_not_newest_event", "fd00::", "fd00::/126")],
        "the newest event of it is missing",
    ),
    "an allocation that vanished": (
        "DELETE FROM allocations WHERE address = 'fd00::'",
        [
            ("address_lost", "fd00::", "fd00::/126"),
            ("event_without_allocation", "fd00::", "fd00::/126"),
        ],
        "fd00:: is neither",
    ),
    "an address that was released twice": (
        "INSERT INTO events (vrf_id, kind, cause, address, block, pool, assign_generation,"
        " assign_time, network, container_id, interface, use) SELECT vrf_id, kind, cause, address,"
        " block, pool, assign_generation, assign_time, network, container_id, interface, use"
        " FROM events WHERE kind = 'RELEASED'",
        [("events_out_of_turn", "10.0.0.1", "10.0.0.0/30")],
        "is RELEASED, and the one before it is RELEASED",
    ),
    "a history that begins with a release": (
        "DELETE FROM events WHERE address = '10.0.0.1' AND kind = 'ASSIGNED'",
        [("events_out_of_turn", "10.0.0.1", "10.0.0.0/30")],
        "and the one before it is missing",
    ),
}


@pytest.fixture
def broken(cluster: postgres.Postgres) -> Iterator[serving.Serving]:
    """A server on a database that need not be whole at the end."""
    with cluster.database() as database, serving.in_process(database) as server:
        yield server


def check(server: serving.Serving, vrf: str = "default") -> list[messages.CheckConsistencyResponse]:
    """All that the check tells."""
    request = messages.CheckConsistencyRequest(parent=f"vrfs/{vrf}")
    with grpc.insecure_channel(server.target) as channel:
        admin = admin_service_pb2_grpc.AdminServiceStub(channel)
        return list(admin.CheckConsistency(request, timeout=30))


def findings(told: list[messages.CheckConsistencyResponse]) -> list[messages.Finding]:
    """The findings alone."""
    return [each.finding for each in told if each.HasField("finding")]


def fill(server: serving.Serving) -> None:
    """Pools of both families; c1 holds an address of each, c2 has released one."""
    with moorage.Client(server.target) as client:
        calls.create_pool(client, "four", "10.0.0.0/24", block_size=30)
        calls.create_pool(client, "six", "fd00::/86", block_size=126)
        calls.create_pool(client, "other", "10.9.0.0/24")
        calls.assign(client, "c1", calls.fixed("10.0.0.0"), calls.fixed("fd00::"))
        calls.assign(client, "c2", calls.fixed("10.0.0.1"))
        calls.release(client, "c2")


def test_a_vrf_that_is_whole_has_no_findings_and_progress_counts_to_the_end(
    server: serving.Serving,
) -> None:
    fill(server)
    told = check(server)
    assert [each.WhichOneof("event") for each in told] == ["progress"] * len(RULES)
    assert [each.progress.rule for each in told] == RULES
    counted = [(each.progress.checked_rule_count, each.progress.rule_count) for each in told]
    assert counted == [(at, len(RULES)) for at in range(1, len(RULES) + 1)]


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_what_is_broken_is_found_and_nothing_else(breakage: str, broken: serving.Serving) -> None:
    fill(broken)
    statement, expected, message = BREAKAGES[breakage]
    broken.database.execute(UNGUARDED)
    broken.database.execute(statement)
    found = findings(check(broken))
    assert [(each.rule, each.address, each.block) for each in found] == expected
    assert message in found[0].message


def test_every_rule_has_a_breakage() -> None:
    assert {rule for _, found, _ in BREAKAGES.values() for rule, _, _ in found} == set(RULES)


def test_a_finding_about_an_allocation_names_its_generation(broken: serving.Serving) -> None:
    fill(broken)
    broken.database.execute("UPDATE blocks SET free = free || 0::smallint WHERE masklen(cidr) = 30")
    held = broken.database.scalar("SELECT generation FROM allocations WHERE address = '10.0.0.0'")
    (found,) = findings(check(broken))
    assert (found.generation, f"generation {held}," in found.message) == (held, True)


def test_another_vrf_is_not_looked_at(broken: serving.Serving) -> None:
    fill(broken)
    broken.database.execute("UPDATE allocations SET generation = 999")
    with moorage.Client(broken.target) as client:
        client.create_vrf("blue")
    assert findings(check(broken, "blue")) == []


def test_of_too_many_findings_the_first_are_told_and_that_there_are_more(
    broken: serving.Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(broken)
    monkeypatch.setattr(consistency, "FINDINGS_PER_RULE", 2)
    broken.database.execute("UPDATE blocks SET free = '{}' WHERE masklen(cidr) = 30")
    found = findings(check(broken))
    assert [each.address for each in found] == ["10.0.0.1", "10.0.0.2", ""]
    assert {each.rule for each in found} == {"address_lost"}
    assert found[-1].message == "only the first 2 findings of this rule are told; there are more"


def test_a_vrf_that_is_not_there_and_a_name_that_is_none_are_refused(
    unchanged: grpc.Channel,
) -> None:
    admin = admin_service_pb2_grpc.AdminServiceStub(unchanged)

    def ask(request: messages.CheckConsistencyRequest) -> None:
        list(admin.CheckConsistency(request))

    refusal = refusals.of(ask, messages.CheckConsistencyRequest(parent="vrfs/none"))
    assert refusal.told() == (grpc.StatusCode.NOT_FOUND, "VRF_NOT_FOUND", {"vrf": "none"})
    refusal = refusals.of(ask, messages.CheckConsistencyRequest(parent="pools/x"))
    assert (refusal.reason, refusal.fields) == ("INVALID_REQUEST", ["parent"])


def test_the_database_stops_working_once_nobody_listens(broken: serving.Serving) -> None:
    fill(broken)
    before = RULES[RULES.index("allocation_not_newest_event") - 1]
    with broken.database.connect() as stranger, grpc.insecure_channel(broken.target) as channel:
        stranger.exec_driver_sql("LOCK TABLE events")
        admin = admin_service_pb2_grpc.AdminServiceStub(channel)
        told = admin.CheckConsistency(messages.CheckConsistencyRequest(), timeout=60)
        while next(told).progress.rule != before:
            pass
        wait_for(broken.database, waiting=1)
        told.cancel()
        # Sooner than it would give up by itself.
        wait_for(broken.database, waiting=0, patience=1.0)
    assert findings(check(broken)) == []


def wait_for(database: postgres.Database, *, waiting: int, patience: float = 20.0) -> None:
    """Returns once so many statements wait for a lock."""
    deadline = time.monotonic() + patience
    while database.scalar(WAITING) != waiting:
        assert time.monotonic() < deadline, "it did not become so"
