"""Empty blocks go when nobody misses them, used ones never."""

import time
from collections.abc import Iterator

import pytest

import moorage
from harness import postgres
from harness.calls import IPV6, assign, create_pool, fixed, release, want
from moorage.v1 import resources_pb2 as messages
from moorage_server.storage import database as storage
from moorage_server.usecases import tidy

NODE = messages.BLOCK_AFFINITY_NODE


@pytest.fixture
def store(database: postgres.Database) -> Iterator[storage.Database]:
    """The service's connections to a test's database."""
    opened = storage.Database(database.service_url, threads=1)
    yield opened
    opened.close()


@pytest.fixture
def blocks(client: moorage.Client, database: postgres.Database) -> postgres.Database:
    """Five empty blocks of one node, opened in order, and an empty one of IPv6."""
    create_pool(client, "a", "10.0.0.0/24", block_size=30, block_affinity=NODE)
    create_pool(client, "b", "fd00::/120", block_size=126, block_affinity=NODE)
    for at in range(5):
        assign(client, f"c{at}", fixed(f"10.0.0.{4 * at}"), node="n1")
    assign(client, "c5", want(IPV6), node="n1")
    for at in range(6):
        release(client, f"c{at}")
    return database


def limits() -> storage.Limits:
    return storage.Limits.until(time.monotonic() + 10)


def age(database: postgres.Database) -> None:
    """Makes every block as old as it must be."""
    database.execute(
        f"UPDATE blocks SET change_time = change_time - interval '{tidy.IDLE + 1} seconds'"
    )


def left(database: postgres.Database) -> list[str]:
    return [str(row[0]) for row in database.rows("SELECT cidr FROM blocks ORDER BY cidr")]


def test_of_five_empty_blocks_four_are_closed_in_time(
    blocks: postgres.Database, store: storage.Database
) -> None:
    assert tidy.tidy(store, limits()) == 0
    age(blocks)
    assert tidy.tidy(store, limits()) == 4
    assert left(blocks) == ["10.0.0.0/30", "fd00::/126"]
    assert tidy.tidy(store, limits()) == 0


def test_no_empty_block_is_kept_beside_a_used_one(
    client: moorage.Client, blocks: postgres.Database, store: storage.Database
) -> None:
    assign(client, "user", fixed("10.0.0.16"), node="n1")
    age(blocks)
    assert tidy.tidy(store, limits()) == 4
    assert left(blocks) == ["10.0.0.16/30", "fd00::/126"]


def test_a_locked_block_is_in_use(blocks: postgres.Database, store: storage.Database) -> None:
    age(blocks)
    with blocks.connect() as stranger:
        stranger.exec_driver_sql("SELECT FROM blocks WHERE cidr = '10.0.0.8/30' FOR UPDATE")
        assert tidy.tidy(store, limits()) == 3


def test_a_block_of_nobody_goes_when_its_last_address_has_cooled_down(
    client: moorage.Client, database: postgres.Database, store: storage.Database
) -> None:
    configuration = messages.VrfConfiguration(cooldown_seconds=1200)
    client.update_vrf(messages.Vrf(name="vrfs/default", configuration=configuration))
    create_pool(client, "a", "10.0.0.0/24", block_affinity=NODE)
    assign(client)
    release(client)
    assert tidy.tidy(store, limits()) == 0
    database.execute("UPDATE ticks SET tick = tick + 1201")
    assert tidy.tidy(store, limits()) == 1
    assert not left(database)


def test_blocks_of_a_pool_without_affinity_stay(
    client: moorage.Client, database: postgres.Database, store: storage.Database
) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    assign(client)
    release(client)
    age(database)
    assert tidy.tidy(store, limits()) == 0
    pool = messages.Pool(name="vrfs/default/pools/a", block_affinity=NODE)
    client.update_pool(pool, update_mask=["block_affinity"])
    assert not left(database)
