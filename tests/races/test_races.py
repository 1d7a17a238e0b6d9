"""Many callers at once, on one and on two servers: nobody loses, nobody shares."""

import concurrent.futures

import grpc
import pytest
import sqlalchemy as sa

import moorage
from harness import postgres
from harness.calls import IPV6, assign, attachment, create_pool, fixed, release, want
from harness.races import at_once, held
from moorage.v1 import allocation_service_pb2 as requests
from moorage.v1 import allocation_service_pb2_grpc
from moorage.v1 import resources_pb2 as messages
from moorage_server.domain import model
from moorage_server.storage import attachments, locks


@pytest.mark.parametrize("affinity", ["NONE", "NODE"])
def test_64_callers_share_64_addresses_and_the_65th_is_told(
    clients: list[moorage.Client], affinity: str
) -> None:
    kind = messages.BlockAffinity.Value(f"BLOCK_AFFINITY_{affinity}")
    create_pool(clients[0], "exact", "10.0.0.0/26", block_size=28, block_affinity=kind)
    outcomes = at_once(64, lambda at: assign(clients[at % 2], f"c{at}", node=f"n{at % 8}"))
    assert sorted(held(outcomes)) == sorted(f"10.0.0.{at}" for at in range(64))
    with pytest.raises(moorage.Exhausted) as refusal:
        assign(clients[0], "c65")
    assert refusal.value.reason == "POOL_EXHAUSTED"
    assert refusal.value.metadata == {
        "vrf": "default",
        "family": "IPV4",
        "pools": "exact",
        "size": "64",
        "assigned": "64",
        "reserved": "0",
        "kept": "0",
    }


def test_one_attachment_asking_everywhere_at_once_gets_one_address(
    clients: list[moorage.Client], database: postgres.Database
) -> None:
    create_pool(clients[0], "a", "10.0.0.0/24")
    outcomes = at_once(32, lambda at: assign(clients[at % 2], "same", stamp=1))
    assert set(held(outcomes)) == {"10.0.0.0"}
    assert database.scalar("SELECT count(*) FROM events") == 1


def test_one_fixed_address_has_one_winner(clients: list[moorage.Client]) -> None:
    create_pool(clients[0], "a", "10.0.0.0/24")
    wanted = fixed("10.0.0.77")
    outcomes = at_once(16, lambda at: assign(clients[at % 2], f"c{at}", wanted))
    losers = [each for each in outcomes if isinstance(each, moorage.MoorageError)]
    assert [each.reason for each in losers] == ["ADDRESS_IN_USE"] * 15


def test_assigns_and_releases_of_both_families_in_any_order_leave_order(
    clients: list[moorage.Client],
) -> None:
    create_pool(clients[0], "four", "10.0.0.0/27", block_size=29)
    create_pool(clients[0], "six", "fd00::/123", block_size=125)

    def churn(at: int) -> list[messages.Allocation]:
        for turn in range(12):
            client = clients[(at + turn) % 2]
            if turn % 3 == 2:
                release(client, f"c{at}")
            else:
                assign(client, f"c{at}", want(), want(IPV6), node=f"n{at % 3}")
        return []

    outcomes = at_once(24, churn)
    assert outcomes == [[]] * 24
    assert list(clients[0].allocations()) == []


def test_an_assign_and_its_release_at_once_leave_one_or_none(
    clients: list[moorage.Client], database: postgres.Database
) -> None:
    create_pool(clients[0], "a", "10.0.0.0/24")

    def assign_or_release(at: int) -> list[messages.Allocation]:
        name = f"c{at // 2}"
        if at % 2:
            return assign(clients[0], name, stamp=10)
        later = messages.AttemptStamp(boot_id="boot-1", boot_time_ns=20)
        return clients[1].release(attachment(name), attempt=later)

    outcomes = at_once(48, assign_or_release)
    refused = [each.reason for each in outcomes if isinstance(each, moorage.MoorageError)]
    assert set(refused) <= {"ATTACHMENT_RELEASED"}
    # The release began later, so whichever came first, nothing is held.
    assert database.scalar("SELECT count(*) FROM allocations") == 0
    tombstones = database.scalar("SELECT count(*) FROM attachments WHERE state = 'RELEASED'")
    assert tombstones == 24


def test_a_stranger_who_holds_a_block_delays_only_who_needs_it(
    client: moorage.Client, database: postgres.Database
) -> None:
    create_pool(client, "busy", "10.0.0.0/26")
    create_pool(client, "idle", "10.0.1.0/26")
    assign(client, "c0", want(pools=("busy",)))
    with database.connect() as stranger, concurrent.futures.ThreadPoolExecutor(1) as pool:
        stranger.execute(sa.text("SELECT FROM blocks WHERE cidr = '10.0.0.0/26' FOR UPDATE"))
        waiting = pool.submit(assign, client, "c1", want(pools=("busy",)))
        for at in range(20):
            assign(client, f"other{at}", want(pools=("idle",)))
        assert not waiting.done()
        stranger.rollback()
        # Locked is not exhausted: the address was there all along.
        assert [each.address for each in waiting.result(timeout=20)] == ["10.0.0.1"]


def test_a_lock_that_is_never_let_go_is_told_as_contention(
    client: moorage.Client, channel: grpc.Channel, database: postgres.Database
) -> None:
    create_pool(client, "a", "10.0.0.0/26")
    assign(client, "c0")
    stub = allocation_service_pb2_grpc.AllocationServiceStub(channel)
    request = requests.AssignAddressesRequest(attachment=attachment("c1"), addresses=[want()])
    with database.connect() as stranger:
        stranger.execute(sa.text("SELECT FROM blocks FOR UPDATE"))
        with pytest.raises(grpc.RpcError, match="other requests hold what this one needs"):
            stub.AssignAddresses(request, timeout=3)
    assert [each.address for each in client.allocations()] == ["10.0.0.0"]


def test_a_release_waits_for_the_assign_of_its_attachment(
    client: moorage.Client, database: postgres.Database
) -> None:
    create_pool(client, "a", "10.0.0.0/26")
    (assigned,) = assign(client, "c0")
    with database.connect() as stranger, concurrent.futures.ThreadPoolExecutor(1) as pool:
        key = model.AttachmentKey(
            vrf="default", network="pods", container_id="c0", interface="eth0"
        )
        stranger.execute(
            sa.text("SELECT pg_advisory_xact_lock(:class, :number)"),
            {
                "class": locks.Class.ATTACHMENT.value,
                "number": attachments.lock_number(key),
            },
        )
        waiting = pool.submit(release, client, "c0")
        assign(client, "c1")
        assert not waiting.done()
        stranger.rollback()
        assert waiting.result(timeout=20) == [assigned.address]


def test_a_poisoned_request_fails_alone(
    clients: list[moorage.Client], database: postgres.Database
) -> None:
    create_pool(clients[0], "good", "10.0.0.0/26")
    create_pool(clients[0], "bad", "10.0.1.0/26")
    assign(clients[0], "c0", want(pools=("bad",)))
    # As after a restore that went wrong: an address that is held is offered as free.
    database.execute("UPDATE blocks SET free = array_prepend(0::smallint, free) WHERE pool_id = 2")

    def assign_one(at: int) -> list[messages.Allocation]:
        return assign(clients[0], f"c{at + 1}", want(pools=("bad" if at % 4 == 0 else "good",)))

    outcomes = at_once(32, assign_one)
    poisoned = [outcomes[at] for at in range(0, 32, 4)]
    assert {each.reason for each in poisoned if isinstance(each, moorage.MoorageError)} == {
        "INTERNAL"
    }
    assert len(set(held([outcomes[at] for at in range(32) if at % 4]))) == 24
    database.execute("UPDATE blocks SET free = free[2:] WHERE pool_id = 2")


def test_a_withdrawn_grant_assigns_nothing_through_any_server(
    clients: list[moorage.Client],
) -> None:
    create_pool(clients[0], "p", "10.0.0.0/24", allowed_namespaces=["shop"])
    afterwards: list[set[str]] = []

    def run(at: int) -> list[messages.Allocation]:
        if at == 0:
            withdraw(clients[0])
            afterwards.append(all_held(clients[1]))
            return []
        return assign(clients[at % 2], f"c{at}", want(pools=("p",)))

    def again(at: int) -> list[messages.Allocation]:
        return assign(clients[at % 2], f"d{at}", want(pools=("p",)))

    outcomes = at_once(32, run)
    given = {each[0].address for each in outcomes if isinstance(each, list) and each}
    assert all_held(clients[0]) == given == afterwards[0]
    for each in [*outcomes, *at_once(16, again)]:
        assert isinstance(each, list) or each.reason == "NAMESPACE_NOT_GRANTED"
    assert all_held(clients[0]) == given


def withdraw(client: moorage.Client) -> None:
    pool = messages.Pool(name="vrfs/default/pools/p", allowed_namespaces=["bank"])
    client.update_pool(pool, update_mask=["allowed_namespaces"])


def all_held(client: moorage.Client) -> set[str]:
    return {each.address for each in client.allocations()}
