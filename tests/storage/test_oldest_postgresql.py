"""The oldest PostgreSQL that is promised, where Debian has it: what is said of all holds of it."""

import pathlib
import time
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

import moorage
from harness import calls, invariants, postgres, serving
from harness.races import at_once, held
from moorage.v1 import resources_pb2
from moorage_server.embedded import binaries
from moorage_server.storage import database as storage

PROGRAMS = pathlib.Path(f"/usr/lib/postgresql/{binaries.OLDEST_MAJOR}/bin")


@pytest.fixture(scope="module")
def oldest() -> Iterator[postgres.Database]:
    if not PROGRAMS.is_dir():
        pytest.skip(f"no PostgreSQL {binaries.OLDEST_MAJOR} of Debian's at {PROGRAMS}")
    with postgres.of(binaries.at(PROGRAMS)) as cluster, cluster.database() as database:
        yield database


def test_it_is_the_oldest(oldest: postgres.Database) -> None:
    assert str(oldest.scalar("SHOW server_version")).startswith(f"{binaries.OLDEST_MAJOR}.")


def test_no_plan_is_compiled(oldest: postgres.Database) -> None:
    # Not to read whole tables makes a small plan look dear, and compiling it takes a third of a
    # second.
    assert oldest.scalar("SHOW jit") == "on"
    store = storage.Database(oldest.service_url, threads=1)
    limits = storage.Limits.until(time.monotonic() + 10)
    assert store.run(lambda it: it.scalar(sa.text("SHOW jit")), limits) == "off"
    store.close()


def test_many_come_and_go_and_all_of_it_is_told(oldest: postgres.Database) -> None:
    with serving.in_process(oldest) as server, moorage.Client(server.target) as client:
        calls.create_pool(
            client,
            "a",
            "10.0.0.0/26",
            block_size=28,
            block_affinity=resources_pb2.BLOCK_AFFINITY_NODE,
        )
        quotas = resources_pb2.Quotas(addresses_per_node=16, addresses_per_namespace=64)
        client.update_vrf(
            resources_pb2.Vrf(name="vrfs/default", quotas=quotas), update_mask=["quotas"]
        )
        outcomes = at_once(64, lambda at: calls.assign(client, f"c{at}", node=f"n{at % 4}"))
        assert len(set(held(outcomes))) == 64
        for at in range(0, 64, 2):
            assert calls.release(client, f"c{at}")
        assert len(list(client.allocations())) == 32
        assert len(list(client.history())) == 64
        assert all(each.HasField("progress") for each in client.check_consistency())
    invariants.check(oldest)
