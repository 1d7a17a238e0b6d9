"""What Prometheus reads, over HTTP."""

import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import moorage
from harness import calls, exposition, postgres, serving
from harness.calls import assign, release
from harness.watches import watching
from moorage.v1 import resources_pb2 as messages
from moorage_server import restore
from moorage_server.api import metrics, numbering
from moorage_server.api.server import BindError

ANY_PORT = "127.0.0.1:0"
LABELS = (
    *("vrf", "pool", "state", "cause", "mode"),
    *("method", "outcome", "of", "locks", "ippool", "extent"),
)
Numbers = dict[tuple[str, ...], float]


@pytest.fixture(autouse=True)
def counted_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """No count is good for the next question."""
    monkeypatch.setattr(metrics, "FRESH", -1.0)


def numbers(server: serving.Serving) -> Numbers:
    """Every sample: its name and the values of its labels."""
    return {
        (sample.name, *(sample.labels[each] for each in LABELS if each in sample.labels)): (
            sample.value
        )
        for sample in exposition.samples(server.metrics)
    }


def test_pools_are_counted_by_what_their_addresses_are(database: postgres.Database) -> None:
    with (
        serving.in_process(database, metrics_listen=ANY_PORT) as server,
        moorage.Client(server.target) as client,
    ):
        assert math.isclose(numbers(server)["moorage_watches",], 0.0)
        calls.create_pool(client, "a", "10.0.0.0/28", block_size=30, cooldown_seconds=600)
        client.create_vrf("blue", messages.Vrf())
        client.create_pool("six", messages.Pool(cidr="fd00::/64"), vrf="blue")
        client.create_reservation("r", messages.Reservation(cidrs=["10.0.0.15/32"]))
        for container in ("c1", "c2", "c3"):
            assign(client, container)
        release(client, "c3")
        found = numbers(server)
        counts = {
            labels[-1]: found[labels]
            for labels in found
            if labels[:3] == ("moorage_pool_addresses", "default", "a")
        }
        assert counts == {
            "assigned": 2,
            "cooling": 1,
            "sticky": 0,
            "reserved": 1,
            "available": 12,
        }
        assert found["moorage_pool_capacity", "default", "a"] == 16
        assert found["moorage_pool_open_blocks", "default", "a"] == 1
        assert found["moorage_pool_capacity", "blue", "six"] == 2.0**64
        calico = ("allocations_in_use", "ippool_size", "blocks")
        assert [found[f"ipam_{each}", "default", "a"] for each in calico] == [2, 16, 1]
        client.delete_pool("six", vrf="blue")
        assert ("moorage_pool_capacity", "blue", "six") not in numbers(server)


def test_calls_are_counted_by_what_came_of_them(database: postgres.Database) -> None:
    with (
        serving.in_process(database, metrics_listen=ANY_PORT) as server,
        moorage.Client(server.target) as client,
    ):
        calls.create_pool(client, "a", "10.0.0.0/31", block_size=31)
        assign(client, "c1")
        assign(client, "c1", stamp=2)
        assign(client, "c2")
        with pytest.raises(moorage.Exhausted):
            assign(client, "c3")
        release(client, "c2")
        release(client, "c2")
        found = numbers(server)
    ended = {
        labels[1:]: number
        for labels, number in found.items()
        if labels[0] == "moorage_calls_total" and number
    }
    assert ended == {
        ("CreatePool", "OK"): 1,
        ("AssignAddresses", "OK"): 3,
        ("AssignAddresses", "POOL_EXHAUSTED"): 1,
        ("ReleaseAddresses", "OK"): 2,
    }
    # Whoever asks by how much it has grown is told of the first as well.
    for outcome in ("INTERNAL", "OUTCOME_UNKNOWN"):
        assert math.isclose(found["moorage_calls_total", "GetPool", outcome], 0)
    assert found["moorage_call_seconds_count", "AssignAddresses"] == 4
    assert found["moorage_batch_requests_sum",] == 6
    assert found["moorage_batch_seconds_count", "skipping"] == 6
    assert found["moorage_requests_without_change_total", "assign"] == 1
    assert found["moorage_requests_without_change_total", "release"] == 1
    assert math.isclose(found["moorage_requests_deferred_total",], 0)


def test_a_call_whose_caller_has_gone_is_counted_as_such(database: postgres.Database) -> None:
    with (
        serving.in_process(database, metrics_listen=ANY_PORT) as server,
        watching(server.target) as stream,
    ):
        stream.until(0)
        stream.close()
        while not numbers(server).get(("moorage_calls_total", "WatchAllocations", "CANCELLED")):
            pass


def test_since_when_nobody_has_verified_is_told(database: postgres.Database) -> None:
    database.execute("UPDATE ticks SET tick = tick + 50")
    with serving.in_process(database, metrics_listen=ANY_PORT, verify_part_seconds=3600) as server:
        found = numbers(server)
    assert found["moorage_verification_age_seconds", "PART"] >= 50
    assert found["moorage_verification_period_seconds", "PART"] == 3600
    assert math.isclose(found["moorage_verification_period_seconds", "WHOLE"], 0)


def test_what_waits_for_a_lock_is_counted(database: postgres.Database) -> None:
    with (
        serving.in_process(database, metrics_listen=ANY_PORT) as server,
        moorage.Client(server.target) as client,
    ):
        calls.create_pool(client, "a", "10.0.0.0/31", block_size=31)
        assign(client, "c1")
        with database.connect(database.service_url) as other:
            other.exec_driver_sql("SELECT FROM blocks FOR UPDATE")
            with ThreadPoolExecutor(1) as threads:
                second = threads.submit(assign, client, "c2")
                while not numbers(server)["moorage_requests_deferred_total",]:
                    pass
                assert numbers(server)["moorage_oldest_change_seconds",] > 0
                other.rollback()
                assert second.result()
        found = numbers(server)
    assert found["moorage_batch_seconds_count", "in_turn"] == 1


def test_a_feed_that_stands_still_is_told(
    database: postgres.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numbering, "PERIOD", 0.05)
    with (
        serving.in_process(database, metrics_listen=ANY_PORT) as server,
        moorage.Client(server.target) as client,
    ):
        calls.create_pool(client, "a", "10.0.0.0/28")
        with database.connect() as other:
            other.exec_driver_sql("SELECT FROM fence FOR UPDATE")
            assign(client, "c1")
            while numbers(server)["moorage_feed_delay_seconds",] < 1.5:
                pass
            other.rollback()
        while numbers(server)["moorage_feed_delay_seconds",] > 1:
            pass


def test_watches_are_counted(database: postgres.Database) -> None:
    with (
        serving.in_process(database, metrics_listen=ANY_PORT) as server,
        watching(server.target) as stream,
    ):
        stream.until(0)
        assert numbers(server)["moorage_watches",] == 1


def test_what_an_acknowledged_change_outlives_is_told(database: postgres.Database) -> None:
    with serving.in_process(database, metrics_listen=ANY_PORT) as server:
        found = numbers(server)
    modes = ("none", "local", "sync", "sync-strict")
    # The tests' database is on no disk.
    assert [found["moorage_durability", mode] for mode in modes] == [1.0, 0.0, 0.0, 0.0]


def test_without_a_database_there_are_no_numbers_of_pools_rather_than_old_ones(
    database: postgres.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        serving.in_process(database, metrics_listen=ANY_PORT) as server,
        moorage.Client(server.target) as client,
    ):
        calls.create_pool(client, "a", "10.0.0.0/28")
        assert numbers(server)["moorage_pool_capacity", "default", "a"] == 16
        monkeypatch.setattr(metrics, "TIME", 0.2)
        with database.connect() as other:
            other.exec_driver_sql("BEGIN; LOCK TABLE allocations IN ACCESS EXCLUSIVE MODE")
            found = numbers(server)
            other.rollback()
        assert ("moorage_pool_capacity", "default", "a") not in found
        assert found["moorage_pool_count_failures_total",] == 1


def test_while_the_database_is_frozen_nobody_waits_for_long(
    database: postgres.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "TIME", 0.2)
    with (
        serving.in_process(database, metrics_listen=ANY_PORT) as server,
        moorage.Client(server.target) as client,
    ):
        calls.create_pool(client, "a", "10.0.0.0/28")
        with database.frozen():
            for _ in range(3):
                assert ("moorage_pool_capacity", "default", "a") not in numbers(server)
            # Those who have been answered are gone, and one count is all that still waits.
            until = time.monotonic() + 20
            while scraping := [each for each in threading.enumerate() if "request" in each.name]:
                assert time.monotonic() < until, scraping
            counting = [each for each in threading.enumerate() if each.name.startswith("metrics")]
            assert len(counting) == 1
        while ("moorage_pool_capacity", "default", "a") not in (found := numbers(server)):
            pass
        assert found["moorage_pool_count_failures_total",] >= 3


def test_a_port_that_is_taken_is_named(database: postgres.Database) -> None:
    with serving.in_process(database, metrics_listen=ANY_PORT) as first:
        wrong = f"cannot listen on {first.metrics}.*--metrics-listen"
        with (
            pytest.raises(BindError, match=wrong),
            serving.in_process(database, metrics_listen=first.metrics),
        ):
            pass


def test_a_vrf_in_quarantine_is_told_with_its_cause(database: postgres.Database) -> None:
    with (
        serving.in_process(database, metrics_listen=ANY_PORT) as server,
        moorage.Client(server.target) as client,
    ):
        assert not [name for name, *_ in numbers(server) if name == "moorage_vrf_quarantined"]
        restore.check(database.service_url)
        assert math.isclose(numbers(server)["moorage_vrf_quarantined", "default", "RESTORED"], 1)
        client.lift_quarantine("a test")
        assert not [name for name, *_ in numbers(server) if name == "moorage_vrf_quarantined"]
