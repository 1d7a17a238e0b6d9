"""The verifier: what is stored is held against its rules, and a VRF that breaks them is shut."""

import concurrent.futures
import math
import time
from collections.abc import Callable, Iterator

import grpc
import pytest
import sqlalchemy as sa

import moorage
from harness import calls, exposition, postgres, serving
from moorage.v1 import resources_pb2
from moorage_server.storage import database as databases
from moorage_server.storage import rules
from moorage_server.storage.interruption import Interruption
from moorage_server.storage.verifications import Extent
from moorage_server.usecases import verify

ANY_PORT = "127.0.0.1:0"
RULES_BROKEN = resources_pb2.QUARANTINE_CAUSE_RULES_BROKEN
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
# As somebody does who repairs rows by hand, and is the owner of them.
FREE_AND_HELD = """
UPDATE blocks SET free = free || (SELECT CAST(address - set_masklen(block::inet, 32) AS smallint)
    FROM allocations a WHERE a.vrf_id = blocks.vrf_id AND a.address = :address)
WHERE cidr >>= CAST(:address AS inet) AND vrf_id = (SELECT vrf_id FROM vrfs WHERE name = 'default')
"""
Verify = Callable[[], verify.Verified | None]


@pytest.fixture
def broken(cluster: postgres.Postgres) -> Iterator[postgres.Database]:
    """A database in which rules are broken in the end."""
    with cluster.database() as fresh:
        yield fresh


@pytest.fixture
def store(broken: postgres.Database) -> Iterator[databases.Database]:
    """The service's connections."""
    opened = databases.Database(broken.service_url, threads=2)
    yield opened
    opened.close()


def verifying(store: databases.Database, *, part: int = 0, whole: int = 0) -> Verify:
    """One turn of a server with these periods."""
    periods = {Extent.PART: part, Extent.WHOLE: whole}

    def turn() -> verify.Verified | None:
        limits = databases.Limits.until(time.monotonic() + 30)
        return verify.verify(store, limits, Interruption(), periods=periods)

    return turn


def plant(database: postgres.Database, address: str) -> None:
    """Has an address free that somebody holds."""
    with database.connect(database.owner_url) as owner:
        owner.execute(sa.text(FREE_AND_HELD), {"address": address})
        owner.commit()


def let_pass(database: postgres.Database, seconds: int) -> None:
    """So much time goes by as it is counted."""
    database.execute("UPDATE ticks SET tick = tick + :seconds", seconds=seconds)


def test_a_violation_is_found_counted_and_shuts_its_vrf_alone(broken: postgres.Database) -> None:
    with (
        serving.in_process(broken, metrics_listen=ANY_PORT, verify_part_seconds=1) as server,
        moorage.Client(server.target) as client,
    ):
        client.create_vrf("blue")
        calls.create_pool(client, "a", "10.0.0.0/28", block_size=28)
        client.create_pool("b", resources_pb2.Pool(cidr="10.0.0.0/24"), vrf="blue")
        (held,) = calls.assign(client, "c1", node="n1")
        plant(broken, held.address)
        until(lambda: bool(client.get_vrf("default").quarantines))

        (begun,) = client.get_vrf("default").quarantines
        assert (begun.cause, begun.awaits_lists) == (RULES_BROKEN, False)
        assert begun.message.startswith(f"address_free_and_held: {held.address} is held")
        with pytest.raises(moorage.MoorageError) as raised:
            calls.assign(client, "c2")
        assert raised.value.reason == "VRF_QUARANTINED"
        assert raised.value.metadata["cause"] == "RULES_BROKEN"
        assert raised.value.code is grpc.StatusCode.FAILED_PRECONDITION
        assert client.assign(calls.attachment("c2"), [calls.want()], vrf="blue")
        found = moorage_numbers(server)
        assert found['moorage_rule_violations_total{rule="address_free_and_held",vrf="default"}']
        assert found['moorage_verifications_total{extent="PART"}'] >= 1
        assert math.isclose(
            found['moorage_vrf_quarantined{cause="RULES_BROKEN",vrf="default"}'], 1.0
        )
        # No list mends it, and what is held can go.
        client.reconcile_node("n1", [calls.attachment("c1")], grace=0)
        assert client.get_vrf("default").quarantines
        assert calls.assign(client, "c1", node="n1")[0].address == held.address


def test_what_an_operator_has_let_pass_shuts_nothing_again_and_anything_else_does(
    broken: postgres.Database, store: databases.Database
) -> None:
    turn = verifying(store, part=1)
    with serving.in_process(broken) as server, moorage.Client(server.target) as client:
        calls.create_pool(client, "a", "10.0.0.0/28", block_size=28)
        first, second = (calls.assign(client, each)[0].address for each in ("c1", "c2"))
        plant(broken, first)
        let_pass(broken, 1)
        assert shut_by(turn) == ("default",)
        let_pass(broken, 1)
        assert shut_by(turn) == (), "it is shut already"
        client.lift_quarantine("the row is being repaired")
        let_pass(broken, 1)
        assert shut_by(turn) == ()
        assert not client.get_vrf("default").quarantines
        plant(broken, second)
        let_pass(broken, 1)
        assert shut_by(turn) == ("default",)
        (begun,) = client.get_vrf("default").quarantines
        assert second in begun.message


def test_what_was_let_pass_and_mended_shuts_again_when_it_comes_back(
    broken: postgres.Database, store: databases.Database
) -> None:
    part, whole = verifying(store, part=1), verifying(store, whole=1)
    with serving.in_process(broken) as server, moorage.Client(server.target) as client:
        calls.create_pool(client, "a", "10.0.0.0/28", block_size=28)
        first, second = (calls.assign(client, each)[0].address for each in ("c1", "c2"))
        plant(broken, first)
        plant(broken, second)
        let_pass(broken, 1)
        assert shut_by(whole) == ("default",)
        client.lift_quarantine("the rows are being repaired")
        let_pass(broken, 1)
        assert shut_by(whole) == (), "neither is mended yet"
        broken.execute("UPDATE blocks SET free = free[1:cardinality(free) - 1]")
        let_pass(broken, 1)
        assert shut_by(whole) == ()
        plant(broken, second)
        let_pass(broken, 1)
        assert shut_by(part) == ("default",)
        (begun,) = client.get_vrf("default").quarantines
        assert second in begun.message


def test_what_gives_nothing_away_twice_is_told_and_shuts_nothing(
    broken: postgres.Database, store: databases.Database
) -> None:
    with serving.in_process(broken) as server, moorage.Client(server.target) as client:
        calls.create_pool(client, "a", "10.0.0.0/30", block_size=30)
        calls.assign(client, "c1")
    broken.execute("UPDATE blocks SET free = '{}'")
    let_pass(broken, 1)
    verified = verifying(store, part=1)()
    assert verified is not None
    assert [each.rule.name for each in verified.broken] == ["address_lost"]
    assert verified.shut == ()
    assert broken.scalar("SELECT count(*) FROM quarantines") == 0


@pytest.mark.parametrize("extent", list(Extent))
def test_history_that_does_not_agree_shuts_the_vrf(
    broken: postgres.Database, store: databases.Database, extent: Extent
) -> None:
    with serving.in_process(broken) as server, moorage.Client(server.target) as client:
        calls.create_pool(client, "a", "10.0.0.0/30", block_size=30)
        calls.assign(client, "c1")
    broken.execute("DELETE FROM events")
    let_pass(broken, 1)
    periods = {"part": 1} if extent is Extent.PART else {"whole": 1}
    assert shut_by(verifying(store, **periods)) == ("default",)


def test_each_is_due_in_its_own_time_and_all_of_it_first(
    broken: postgres.Database, store: databases.Database
) -> None:
    turn = verifying(store, part=60, whole=3600)
    assert turn() is None
    let_pass(broken, 3600)
    assert [done and done.extent for done in (turn(), turn(), turn())] == [
        Extent.WHOLE,
        Extent.PART,
        None,
    ]
    let_pass(broken, 60)
    assert [done and done.extent for done in (turn(), turn())] == [Extent.PART, None]
    assert verifying(store)() is None, "0 is never"


def test_of_two_servers_one_verifies(broken: postgres.Database, store: databases.Database) -> None:
    one, other = verifying(store, whole=1), verifying(store, whole=1)
    let_pass(broken, 1)
    with broken.connect() as stranger, concurrent.futures.ThreadPoolExecutor(1) as thread:
        stranger.exec_driver_sql("LOCK TABLE blocks")
        first = thread.submit(one)
        until(lambda: broken.scalar(WAITING) == 1)
        assert other() is None, "the first is at it"
        stranger.rollback()
        assert first.result(30) is not None
    assert other() is None, "it has been done"


def test_a_part_is_of_a_few_blocks_and_no_rule_of_blocks_is_left_out(
    broken: postgres.Database, store: databases.Database
) -> None:
    with serving.in_process(broken) as server, moorage.Client(server.target) as client:
        calls.create_pool(client, "a", "10.0.0.0/24", block_size=30)
        for at in range(12):
            calls.assign(client, f"c{at}")
    broken.execute("UPDATE blocks SET free = '{}', node = 'n' WHERE cidr <> '10.0.0.0/30'")
    let_pass(broken, 1)
    verified = verifying(store, part=1)()
    assert verified is not None
    assert all(len({f.block for f in each.findings}) <= 1 for each in verified.broken)
    grave = {rule.name for rule in rules.RULES if rule.shuts and rule.is_of_blocks}
    assert {"address_free_and_held", "events_out_of_turn", "event_without_allocation"} <= grave


def shut_by(turn: Verify) -> tuple[str, ...]:
    """Which VRFs one turn has shut."""
    verified = turn()
    assert verified is not None
    return verified.shut


def moorage_numbers(server: serving.Serving) -> dict[str, float]:
    """Every sample by its name and labels, as they are written."""
    lines = exposition.text(server.metrics).splitlines()
    pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return {name: float(value) for name, _, value in pairs}


def until(come: Callable[[], bool]) -> None:
    """Returns once it is so."""
    deadline = time.monotonic() + 30
    while not come():
        assert time.monotonic() < deadline, "it did not become so"
        time.sleep(0.05)
