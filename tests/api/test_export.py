"""ExportVrf, through a real channel: one moment of everything, a piece at a time."""

import collections
import concurrent.futures
import ipaddress
import threading
import time
from collections.abc import Iterator

import grpc
import pytest

import moorage
from api import refusals
from harness import calls, eventually, large_vrfs, postgres, serving
from moorage import channel as channels
from moorage.v1 import admin_service_pb2 as messages
from moorage.v1 import admin_service_pb2_grpc, resources_pb2
from moorage_server.api import desk
from moorage_server.storage import catalogs, interruption
from moorage_server.storage import database as storage
from moorage_server.usecases import export, query

SNAPSHOTS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_xmin IS NOT NULL
    AND state <> 'idle'
"""


def whole(parts: Iterator[messages.ExportVrfResponse]) -> messages.ExportVrfResponse:
    """All parts as one."""
    found = messages.ExportVrfResponse()
    for part in parts:
        found.MergeFrom(part)
    return found


def test_an_export_is_what_the_listings_say(client: moorage.Client) -> None:
    calls.create_pool(client, "web", "10.0.0.0/24")
    calls.create_pool(client, "six", "fd00::/112")
    client.upsert_node(resources_pb2.Node(name="vrfs/default/nodes/n1", labels={"rack": "4"}))
    client.create_reservation("office", resources_pb2.Reservation(cidrs=["10.0.0.8/29"]))
    calls.assign(client, "c1", calls.want(), calls.want(calls.IPV6), node="n1")
    found = whole(client.export_vrf())
    assert found.vrf == client.get_vrf("default")
    assert list(found.nodes) == list(client.nodes())
    assert list(found.pools) == list(client.pools())
    assert list(found.reservations) == list(client.reservations())
    assert list(found.blocks) == list(client.blocks())
    listed = list(client.allocations())
    for each in listed:
        each.ClearField("prefix_length")
    assert list(found.allocations) == listed
    assert found.position.epoch
    assert sum(each.counts.assigned_count for each in found.blocks) == 2


def test_an_export_is_of_one_moment_while_addresses_come_and_go(
    client: moorage.Client, server: serving.Serving
) -> None:
    calls.create_pool(client, "web", "10.0.0.0/22", block_size=28)
    calls.create_pool(client, "six", "fd00::/112", block_size=124)
    stopping, begun = threading.Event(), threading.Barrier(4)

    def churn(of: int) -> None:
        with moorage.Client(server.target) as own:
            begun.wait()
            at = 0
            while not stopping.is_set():
                # Both or none: an export never has half of it.
                calls.assign(own, f"c{of}-{at}", calls.want(), calls.want(calls.IPV6))
                if at >= 20:
                    calls.release(own, f"c{of}-{at - 20}")
                at += 1

    with concurrent.futures.ThreadPoolExecutor(3) as threads:
        churning = [threads.submit(churn, of) for of in range(3)]
        begun.wait()
        exports = [whole(client.export_vrf()) for _ in range(20)]
        stopping.set()
        for each in churning:
            each.result()
    assert len({each.position.revision for each in exports}) > 1
    for found in exports:
        require_one_moment(found)


def require_one_moment(export: messages.ExportVrfResponse) -> None:
    """What is held lies in blocks of pools, as often as these say, once, and both or none."""
    held = collections.Counter(each.address for each in export.allocations)
    assert all(count == 1 for count in held.values())
    blocks = {each.cidr: each for each in export.blocks}
    counted = collections.Counter(each.block for each in export.allocations)
    assert counted == {
        cidr: each.counts.assigned_count
        for cidr, each in blocks.items()
        if each.counts.assigned_count
    }
    pools = {each.name for each in export.pools}
    for each in export.allocations:
        assert each.pool in pools
        assert ipaddress.ip_address(each.address) in ipaddress.ip_network(each.block)
    holders = collections.Counter(each.attachment.container_id for each in export.allocations)
    assert set(holders.values()) <= {2}


@pytest.fixture
def large(cluster: postgres.Postgres) -> Iterator[serving.Serving]:
    """A server with 100 000 allocations, of which no event tells."""
    with cluster.database() as database, serving.in_process(database) as server:
        with moorage.Client(server.target) as client:
            calls.create_pool(client, "web", "10.0.0.0/8", block_size=22)
        large_vrfs.fill(database)
        yield server


def test_a_large_vrf_comes_in_small_pieces(large: serving.Serving) -> None:
    with moorage.Client(large.target) as client:
        count = 0
        for part in client.export_vrf(timeout=120):
            assert part.ByteSize() < 1024 * 1024
            count += len(part.allocations)
    assert count == large_vrfs.COUNT


def test_who_takes_nothing_keeps_no_transaction_open(large: serving.Serving) -> None:
    with channels.open_channel(large.target) as channel:
        stub = admin_service_pb2_grpc.AdminServiceStub(channel)
        parts = stub.ExportVrf(messages.ExportVrfRequest(), timeout=120)
        assert next(parts).HasField("vrf")
        eventually.until(lambda: large.database.scalar(SNAPSHOTS) == 0, seconds=60)
        refused = refusals.of(lambda _: list(parts), messages.ExportVrfRequest())
    assert refused.reason == "CONSUMER_TOO_SLOW"
    assert refused.code is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_who_takes_slowly_ends_with_the_time_that_an_export_may_take(
    large: serving.Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "STREAM_TIMEOUT", 2.0)

    def read(request: messages.ExportVrfRequest) -> None:
        # Each piece is taken in time, and nobody has said how long all of it may take.
        for _ in stub.ExportVrf(request):
            time.sleep(0.02)

    with channels.open_channel(large.target) as channel:
        stub = admin_service_pb2_grpc.AdminServiceStub(channel)
        refused = refusals.of(read, messages.ExportVrfRequest())
    assert refused.reason == "DEADLINE_TOO_SHORT"
    eventually.until(lambda: large.database.scalar(SNAPSHOTS) == 0, seconds=5)


class Enough(Exception):
    """Enough was told."""


def test_who_takes_each_piece_in_time_is_told_all(
    large: serving.Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "IDLE_IN_TRANSACTION", 1.0)
    told = 0

    def take(part: export.Part) -> None:
        nonlocal told
        if isinstance(part, query.Page):
            told += 1
            if told > 12:
                raise Enough
            time.sleep(0.4)

    store = storage.Database(large.database.service_url, threads=1)
    limits = storage.Limits.until(time.monotonic() + 60)
    asked, compiled = interruption.Interruption(), catalogs.Catalogs()
    try:
        with pytest.raises(Enough):
            export.export(store, limits, take, asked, compiled, vrf="default")
    finally:
        store.close()


def test_an_export_that_nobody_waits_for_ends(large: serving.Serving) -> None:
    with moorage.Client(large.target) as client:
        parts = client.export_vrf(timeout=120)
        next(parts)
        assert large.database.scalar(SNAPSHOTS)
        # Who reads no further, and forgets it, has ended it.
        del parts
        eventually.until(lambda: large.database.scalar(SNAPSHOTS) == 0, seconds=5)
        assert next(client.export_vrf()).HasField("vrf")


def test_a_vrf_that_is_not_there_is_refused(server: serving.Serving) -> None:
    with grpc.insecure_channel(server.target) as channel:
        stub = admin_service_pb2_grpc.AdminServiceStub(channel)
        request = messages.ExportVrfRequest(parent="vrfs/nowhere")
        refused = refusals.of(lambda asked: list(stub.ExportVrf(asked)), request)
    assert refused.reason == "VRF_NOT_FOUND"
