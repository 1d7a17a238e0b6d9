"""An owner's address, asked for and given back at the same time, on two servers."""

from collections.abc import Iterator

import grpc
import pytest
from google.protobuf import duration_pb2

import moorage
from harness import postgres, serving
from harness.calls import attachment, create_pool, release, want
from harness.races import at_once
from moorage.v1 import allocation_service_pb2 as requests
from moorage.v1 import allocation_service_pb2_grpc
from moorage.v1 import resources_pb2 as messages

Stub = allocation_service_pb2_grpc.AllocationServiceStub


@pytest.fixture
def both(database: postgres.Database) -> Iterator[list[tuple[moorage.Client, Stub]]]:
    """Clients and stubs of two servers on one database."""
    with (
        serving.in_process(database) as first,
        serving.in_process(database) as second,
        grpc.insecure_channel(first.target) as one,
        grpc.insecure_channel(second.target) as other,
    ):
        yield [(moorage.Client(channel=each, timeout=30), Stub(each)) for each in (one, other)]


def assign(stub: Stub, container: str, owner: str) -> list[messages.Allocation]:
    """An address that stays an owner's for an hour."""
    request = requests.AssignAddressesRequest(
        attachment=attachment(container),
        addresses=[want()],
        owner_key=owner,
        sticky=duration_pb2.Duration(seconds=3600),
    )
    return list(stub.AssignAddresses(request, timeout=30).allocations)


def test_every_owner_comes_back_to_its_own(both: list[tuple[moorage.Client, Stub]]) -> None:
    client = both[0][0]
    create_pool(client, "a", "10.0.0.0/26", block_size=30)
    first = [assign(both[at % 2][1], f"c{at}", f"db-{at}") for at in range(24)]
    for at in range(24):
        release(client, f"c{at}")
    again = at_once(24, lambda at: assign(both[at % 2][1], f"d{at}", f"db-{at}"))
    for before, after in zip(first, again, strict=True):
        assert isinstance(after, list), after
        assert [each.address for each in after] == [each.address for each in before]


def test_pods_of_one_owner_share_what_is_kept_for_it(
    both: list[tuple[moorage.Client, Stub]],
) -> None:
    client = both[0][0]
    create_pool(client, "a", "10.0.0.0/26", block_size=30)
    kept = {assign(both[0][1], f"c{at}", "db")[0].address for at in range(8)}
    for at in range(8):
        release(client, f"c{at}")
    given = at_once(12, lambda at: assign(both[at % 2][1], f"d{at}", "db"))
    held = [each[0].address for each in given if isinstance(each, list)]
    assert len(set(held)) == 12
    assert kept <= set(held)


def test_a_release_and_the_next_assign_of_one_owner_meet(
    both: list[tuple[moorage.Client, Stub]],
) -> None:
    create_pool(both[0][0], "a", "10.0.0.0/29", block_size=29)
    assign(both[0][1], "c0", "db")
    for turn in range(12):

        def step(at: int, turn: int = turn) -> list[messages.Allocation]:
            client, stub = both[(at + turn) % 2]
            if at:
                return assign(stub, f"c{turn + 1}", "db")
            release(client, f"c{turn}")
            return []

        for each in at_once(2, step):
            assert isinstance(each, list), each
    # One is held; whatever else it has had is kept for it, and nothing is anybody's twice.
    assert len(list(both[0][0].allocations())) == 1
    assert {each.owner_key for each in both[0][0].sticky_addresses()} <= {"db"}


def test_of_two_who_want_one_up_or_back_one_is_told(
    both: list[tuple[moorage.Client, Stub]],
) -> None:
    create_pool(both[0][0], "a", "10.0.0.0/30", block_size=30)
    for turn in range(8):
        (kept,) = assign(both[0][1], f"c{turn}", "db")
        release(both[0][0], f"c{turn}")

        def step(at: int, turn: int = turn, kept: str = kept.address) -> list[messages.Allocation]:
            client, stub = both[(at + turn) % 2]
            if at:
                return assign(stub, f"d{turn}", "db")
            client.delete_sticky_address(kept)
            return []

        deleted, given = at_once(2, step)
        assert isinstance(given, list), given
        assert isinstance(deleted, list) or deleted.reason == "STICKY_ADDRESS_NOT_FOUND"
        release(both[0][0], f"d{turn}")
