"""Rows of pools and reservations: what the allocator reads, and what stands behind the checks."""

import datetime
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from harness import postgres, world
from moorage_server.domain import addresses, errors, resources
from moorage_server.storage import pools, reservations, vrfs

NOW = datetime.datetime(2026, 11, 22, 1, 15, tzinfo=datetime.UTC)


@pytest.fixture
def transaction(database: postgres.Database) -> Iterator[sa.Connection]:
    """A transaction of the service's role, which is rolled back; there is a second VRF, "blue"."""
    database.execute("INSERT INTO vrfs (name) VALUES ('blue')")
    with database.connect(database.service_url) as connection:
        yield connection


def test_the_allocator_reads_every_pool_of_its_vrf_with_the_id_of_its_row(
    transaction: sa.Connection,
) -> None:
    made = [world.pool("b", "10.0.0.0/24", priority=3), world.pool("a", "fd00::/64")]
    for pool in made:
        pools.create(transaction, pool)
    pools.create(transaction, world.pool("a", "10.0.0.0/8", vrf="blue"))
    found = pools.with_ids(transaction, vrfs.require_id(transaction, "default"))
    rows = transaction.execute(sa.text("SELECT pool_id, name FROM pools WHERE vrf_id = 1"))
    assert {pool.name: row_id for row_id, pool in found} == {row.name: row.pool_id for row in rows}
    stored = {pool.name: pools.get(transaction, "default", pool.name) for pool in made}
    assert {pool.name: pool for _, pool in found} == stored


def test_the_allocator_reads_every_span_that_its_vrf_reserves(transaction: sa.Connection) -> None:
    for vrf, name, cidrs in (
        ("default", "a", ("10.0.0.0/30", "fd00::/64")),
        ("default", "b", ("10.0.0.9/32",)),
        ("blue", "a", ("192.168.0.0/16",)),
    ):
        networks = tuple(addresses.parse_network(cidr) for cidr in cidrs)
        reserved = resources.Reservation(vrf=vrf, name=name, cidrs=networks)
        reservations.create(transaction, reserved)
    vrf_id = vrfs.require_id(transaction, "default")
    found, next_expiry = reservations.reserved(transaction, vrf_id, NOW)
    expected = ("10.0.0.0/30", "fd00::/64", "10.0.0.9")
    assert {each.span for each in found} == {addresses.Span.parse(text) for text in expected}
    assert next_expiry is None


def test_spans_are_of_reservations_that_have_not_expired(transaction: sa.Connection) -> None:
    second = datetime.timedelta(seconds=1)
    for name, address, expire_time in (
        ("over", "10.0.0.1", NOW - second),
        ("now", "10.0.0.2", NOW),
        ("next", "10.0.0.3", NOW + second),
        ("later", "10.0.0.4", NOW + 2 * second),
        ("never", "10.0.0.5", None),
    ):
        cidrs = (addresses.parse_network(f"{address}/32"),)
        reserved = resources.Reservation(
            vrf="default", name=name, cidrs=cidrs, expire_time=expire_time
        )
        reservations.create(transaction, reserved)
    vrf_id = vrfs.require_id(transaction, "default")
    found, next_expiry = reservations.reserved(transaction, vrf_id, NOW)
    expected = ("10.0.0.3", "10.0.0.4", "10.0.0.5")
    assert {each.span for each in found} == {addresses.Span.parse(text) for text in expected}
    assert next_expiry == NOW + second


@pytest.mark.parametrize(
    ("cidr", "unused"),
    [
        ("10.0.0.0/24", "{[0,4)}"),
        ("10.0.0.7/32", "{[0,1)}"),
        ("fd00::/60", "{[0,4611686018427387904)}"),
    ],
)
def test_no_block_of_a_new_pool_was_ever_opened(
    transaction: sa.Connection, cidr: str, unused: str
) -> None:
    pools.create(transaction, world.pool("a", cidr))
    found = transaction.scalar(sa.text("SELECT unused::text FROM pool_frontiers"))
    assert found == unused


def test_whoever_does_not_look_first_is_refused_by_the_schema(transaction: sa.Connection) -> None:
    pools.create(transaction, world.pool("a", "10.0.0.0/24"))
    with pytest.raises(errors.PoolOverlaps) as overlaps, transaction.begin_nested():
        pools.create(transaction, world.pool("b", "10.0.0.0/16"))
    assert overlaps.value.metadata == {
        "vrf": "default",
        "pool": "b",
        "cidr": "10.0.0.0/16",
        "conflicting_pool": "",
    }
    with pytest.raises(errors.PoolAlreadyExists), transaction.begin_nested():
        pools.create(transaction, world.pool("a", "10.1.0.0/24"))
    pools.create(transaction, world.pool("a", "10.0.0.0/24", vrf="blue"))


def test_any_other_broken_rule_is_a_fault_and_not_an_answer(transaction: sa.Connection) -> None:
    with pytest.raises(sa.exc.IntegrityError, match="pools_block_size"):
        pools.create(transaction, world.pool("a", "10.0.0.0/24", block_size=19))
