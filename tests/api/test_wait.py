"""An assign that waits for what a terminating predecessor still holds."""

import asyncio
import concurrent.futures
import contextlib
import time
from collections.abc import Iterator

import grpc
import pytest

import moorage
from harness import postgres, serving, waits
from harness.calls import (
    IPV4,
    IPV6,
    addresses_of,
    assign,
    attachment,
    attempt,
    create_pool,
    fixed,
    release,
    want,
)
from harness.waits import Watch
from moorage.v1 import allocation_service_pb2 as requests
from moorage.v1 import allocation_service_pb2_grpc as stubs
from moorage.v1 import error_reason_pb2 as reasons
from moorage.v1 import resources_pb2 as messages
from moorage_server.api import collector, vigils

Waiting = concurrent.futures.Future[list[messages.Allocation]]
SHORT = 0.3  # seconds
LONG = 30.0  # seconds; no test takes so long


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    """Sees calls begin to wait, in every server of the test."""
    return waits.watch(monkeypatch)


@pytest.fixture
def unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks again unless there is news."""
    waits.nobody_looks_again(monkeypatch)


@pytest.fixture
def pool() -> Iterator[concurrent.futures.ThreadPoolExecutor]:
    """Threads for calls that wait."""
    with concurrent.futures.ThreadPoolExecutor(16) as threads:
        yield threads


def add(
    client: moorage.Client,
    container: str,
    *wants: requests.AddressRequest,
    pod: str = "db-0",
    owner: str = "",
    wait: float = LONG,
    sticky: float = 0,
    stamp: int | None = None,
    timeout: float = LONG,
) -> list[messages.Allocation]:
    """An ADD of a pod that was replaced: each container is of another uid."""
    return client.assign(
        attachment(container),
        wants or (fixed("10.0.0.7"),),
        workload=messages.Workload(node="n1", namespace="shop", pod=pod, pod_uid=container),
        owner_key=owner,
        wait=wait,
        sticky=sticky,
        attempt=attempt(stamp),
        timeout=timeout,
    )


def replacement() -> requests.AssignAddressesRequest:
    """What a pod's new container asks for, and waits for."""
    request = requests.AssignAddressesRequest(
        attachment=attachment("new"),
        addresses=[fixed("10.0.0.7")],
        workload=messages.Workload(namespace="shop", pod="db-0"),
    )
    request.wait.FromSeconds(30)
    return request


@pytest.mark.usefixtures("unasked")
@pytest.mark.parametrize("owner", ["", "shop/db"])
def test_the_address_is_had_as_soon_as_the_predecessor_is_gone(
    client: moorage.Client,
    watch: Watch,
    pool: concurrent.futures.ThreadPoolExecutor,
    owner: str,
) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    (old,) = add(client, "old", owner=owner)
    waiting = pool.submit(add, client, "new", owner=owner)
    watch.see()
    assert not waiting.done()
    assert release(client, "old") == ["10.0.0.7"]
    (new,) = waiting.result(timeout=20)
    assert (new.address, new.attachment.container_id) == ("10.0.0.7", "new")
    assert new.generation > old.generation


@pytest.mark.parametrize(
    ("holder", "asker"),
    [
        ({"pod": "db-1"}, {"pod": "db-0"}),
        ({"owner": "one"}, {"owner": "other"}),
        ({"owner": ""}, {"owner": "shop/db"}),
        ({"pod": ""}, {"pod": ""}),
    ],
    ids=str,
)
def test_for_somebody_else_nobody_waits(
    client: moorage.Client, holder: dict[str, str], asker: dict[str, str]
) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    add(client, "old", **holder)  # type: ignore[arg-type]  # names and texts
    began = time.monotonic()
    with pytest.raises(moorage.Conflict) as refusal:
        add(client, "new", **asker)  # type: ignore[arg-type]  # names and texts
    assert refusal.value.reason == "ADDRESS_IN_USE"
    assert time.monotonic() - began < LONG / 2


@pytest.mark.parametrize(("wait", "timeout"), [(SHORT, LONG), (LONG, 3 * SHORT)], ids=str)
def test_a_wait_in_vain_ends_with_the_address_in_use(
    client: moorage.Client, database: postgres.Database, wait: float, timeout: float
) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    held = add(client, "old")
    began = time.monotonic()
    with pytest.raises(moorage.Conflict) as refusal:
        add(client, "new", wait=wait, timeout=timeout)
    assert SHORT <= time.monotonic() - began < LONG / 2
    assert refusal.value.reason == "ADDRESS_IN_USE"
    assert refusal.value.metadata == {"vrf": "default", "address": "10.0.0.7", "pool": "a"}
    assert list(client.allocations()) == held
    assert database.scalar("SELECT count(*) FROM attachments") == 1


@pytest.mark.usefixtures("unasked")
def test_a_release_of_the_waiting_attachment_wins(
    client: moorage.Client, watch: Watch, pool: concurrent.futures.ThreadPoolExecutor
) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    held = add(client, "old")
    waiting = pool.submit(add, client, "new", stamp=10)
    watch.see()
    assert release(client, "new", stamp=20) == []
    with pytest.raises(moorage.Conflict) as refusal:
        waiting.result(timeout=20)
    assert refusal.value.reason == "ATTACHMENT_RELEASED"
    assert list(client.allocations()) == held


def test_a_release_through_another_server_is_noticed(
    database: postgres.Database, watch: Watch, pool: concurrent.futures.ThreadPoolExecutor
) -> None:
    with (
        serving.in_process(database) as first,
        serving.in_process(database) as second,
        moorage.Client(first.target) as one,
        moorage.Client(second.target) as other,
    ):
        create_pool(one, "a", "10.0.0.0/24")
        add(one, "old")
        waiting = pool.submit(add, one, "new")
        watch.see()
        assert release(other, "old") == ["10.0.0.7"]
        assert addresses_of(waiting.result(timeout=20)) == ["10.0.0.7"]


def test_a_call_that_is_cancelled_leaves_nothing_behind(
    client: moorage.Client, channel: grpc.Channel, watch: Watch
) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    add(client, "old")
    stub = stubs.AllocationServiceStub(channel)
    call = stub.AssignAddresses.future(replacement(), timeout=LONG)
    watch.see()
    call.cancel()
    watch.see_none()
    assert release(client, "old") == ["10.0.0.7"]
    assert addresses_of(add(client, "next")) == ["10.0.0.7"]
    assert [each.attachment.container_id for each in client.allocations()] == ["next"]


@pytest.mark.usefixtures("unasked")
def test_many_that_wait_hold_up_nobody_and_one_of_them_gets_it(
    database: postgres.Database, watch: Watch, pool: concurrent.futures.ThreadPoolExecutor
) -> None:
    with serving.in_process(database, threads=2) as server, moorage.Client(server.target) as client:
        create_pool(client, "a", "10.0.0.0/24")
        add(client, "old")
        waiting = [pool.submit(add, client, f"new-{at}", wait=2.0) for at in range(8)]
        watch.see(8)
        for at in range(20):
            assign(client, f"other-{at}")
        assert not any(each.done() for each in waiting)
        release(client, "old")
        outcomes = [_reason(each) for each in waiting]
    assert sorted(outcomes) == ["", *["ADDRESS_IN_USE"] * 7]


def test_calls_that_wait_count_among_those_that_may(
    client: moorage.Client,
    channel: grpc.Channel,
    watch: Watch,
    pool: concurrent.futures.ThreadPoolExecutor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    add(client, "old")
    waiting = pool.submit(add, client, "new")
    watch.see()
    monkeypatch.setattr(vigils, "PAUSE", 1000.0)
    watch.see()
    monkeypatch.setattr(collector, "WAITING_CALLS", 1)
    request = requests.AssignAddressesRequest(attachment=attachment("c1"), addresses=[want()])
    with pytest.raises(grpc.RpcError, match="too many calls are waiting"):
        stubs.AllocationServiceStub(channel).AssignAddresses(request, timeout=5)
    monkeypatch.setattr(collector, "WAITING_CALLS", 4096)
    release(client, "old")
    assert addresses_of(waiting.result(timeout=20)) == ["10.0.0.7"]


def test_a_server_that_goes_away_keeps_nobody_waiting(
    database: postgres.Database, watch: Watch
) -> None:
    with contextlib.ExitStack() as channels:
        with serving.in_process(database) as server:
            channel = channels.enter_context(grpc.insecure_channel(server.target))
            with moorage.Client(server.target) as client:
                create_pool(client, "a", "10.0.0.0/24")
                add(client, "old")
            stub = stubs.AllocationServiceStub(channel)
            call = stub.AssignAddresses.future(replacement(), timeout=LONG)
            watch.see()
        with pytest.raises(grpc.RpcError, match="send the same call again"):
            call.result()
        assert call.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.usefixtures("unasked")
def test_a_sticky_owner_waits_for_its_own_address(
    client: moorage.Client, watch: Watch, pool: concurrent.futures.ThreadPoolExecutor
) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    create_pool(client, "b", "fd00::/64")
    add(client, "old", want(), owner="shop/db", sticky=60)
    # Of another family, nothing is held.
    add(client, "six", want(IPV6), owner="shop/db", sticky=60)
    waiting = pool.submit(add, client, "new", want(IPV4), owner="shop/db", sticky=60)
    watch.see()
    assert not waiting.done()
    assert release(client, "old") == ["10.0.0.0"]
    assert waiting.result(timeout=20)[0].attachment.container_id == "new"


def test_a_sticky_owner_does_not_wait_for_what_it_would_not_be_given(
    client: moorage.Client,
) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    create_pool(client, "b", "10.1.0.0/24")
    add(client, "old", want(pools=("a",)), owner="shop/db", sticky=60)
    held = add(client, "new", want(pools=("b",)), owner="shop/db", sticky=60, wait=SHORT)
    assert [each.address for each in held] == ["10.1.0.0"]


def test_a_sticky_owner_that_waits_in_vain_is_told_of_the_address(client: moorage.Client) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    add(client, "old", want(), owner="shop/db", sticky=60)
    with pytest.raises(moorage.Conflict) as refusal:
        add(client, "new", want(), owner="shop/db", sticky=60, wait=SHORT)
    assert refusal.value.reason == "ADDRESS_IN_USE"
    assert refusal.value.metadata == {"vrf": "default", "address": "10.0.0.0", "pool": "a"}


@pytest.mark.parametrize(
    "asking",
    [
        {"sticky": 60, "wait": 0},
        {"sticky": 0},
        {"sticky": 60, "owner": "shop/other"},
    ],
    ids=str,
)
def test_without_wait_or_stickiness_an_owner_gets_another_address(
    client: moorage.Client, asking: dict[str, float | str]
) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    add(client, "old", want(), owner="shop/db", sticky=60)
    wanted = {"owner": "shop/db"} | asking
    given = add(client, "new", want(), **wanted)  # type: ignore[arg-type]  # as listed
    assert addresses_of(given) == ["10.0.0.1"]


def test_on_another_interface_an_owner_does_not_wait_for_itself(client: moorage.Client) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    for interface, address in (("eth0", "10.0.0.0"), ("eth1", "10.0.0.1")):
        given = client.assign(
            attachment("c1", interface=interface), [want()], owner_key="o", sticky=60, wait=LONG
        )
        assert addresses_of(given) == [address]


@pytest.mark.parametrize("first", [want(), fixed("10.0.0.0")], ids=["any", "fixed"])
def test_a_sandbox_does_not_wait_for_the_one_that_it_succeeds(
    client: moorage.Client, first: requests.AddressRequest
) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    pod = messages.Workload(node="n1", namespace="shop", pod="db-0", pod_uid="u1")
    for container, wants in (("old", [want()]), ("new", [first, want()])):
        held = client.assign(
            attachment(container),
            wants,
            workload=pod,
            owner_key="shop/db",
            sticky=60,
            wait=LONG,
        )
        assert addresses_of(held) == ["10.0.0.0", "10.0.0.1"][: len(wants)]
    assert {each.attachment.container_id for each in client.allocations()} == {"new"}


def test_explaining_does_not_wait(client: moorage.Client) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    add(client, "old")
    explained = client.explain_assign(
        attachment("new"),
        [fixed("10.0.0.7")],
        workload=messages.Workload(namespace="shop", pod="db-0"),
        wait=LONG,
    )
    assert explained.refusal.reason == reasons.ERROR_REASON_ADDRESS_IN_USE


@pytest.mark.usefixtures("unasked")
def test_no_release_falls_between_a_try_and_the_wait_for_the_next(
    client: moorage.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    add(client, "old")
    rest = vigils.Vigils.rest

    async def late(self: vigils.Vigils, *args: object) -> None:
        await asyncio.to_thread(release, client, "old")
        await rest(self, *args)  # type: ignore[arg-type]  # as they came

    monkeypatch.setattr(vigils.Vigils, "rest", late)
    began = time.monotonic()
    assert addresses_of(add(client, "new")) == ["10.0.0.7"]
    assert time.monotonic() - began < LONG / 2


def _reason(call: Waiting) -> str:
    try:
        call.result(timeout=20)
    except moorage.MoorageError as error:
        return error.reason
    return ""
