"""AllocationService: who held an address, and when."""

import concurrent.futures
import datetime
from collections.abc import Iterable

import grpc
import pytest
from google.protobuf import timestamp_pb2

import moorage
from api import refusals
from harness import calls, past, postgres
from moorage.v1 import allocation_service_pb2_grpc, filter_pb2, history_pb2, resources_pb2
from moorage_server.api import page_tokens

Filter = filter_pb2.AllocationFilter
Request = history_pb2.ListAllocationHistoryRequest
Workload = resources_pb2.Workload
MICROSECOND = datetime.timedelta(microseconds=1)
REQUESTED = history_pb2.ALLOCATION_EVENT_CAUSE_REQUESTED


def when(stamp: timestamp_pb2.Timestamp) -> datetime.datetime:
    return stamp.ToDatetime(tzinfo=datetime.UTC)


def holders(found: Iterable[history_pb2.Holding]) -> list[str]:
    return [each.allocation.attachment.container_id for each in found]


def of(address: str) -> Filter:
    return Filter(cidr=address)


def hold(
    client: moorage.Client,
    container: str,
    address: str,
    *,
    vrf: str = "default",
    owner: str = "",
    node: str = "",
    namespace: str = "",
    labels: dict[str, str] | None = None,
) -> resources_pb2.Allocation:
    (held,) = client.assign(
        calls.attachment(container),
        [calls.fixed(address)],
        workload=Workload(node=node, namespace=namespace, pod=container if namespace else ""),
        owner_key=owner,
        labels=labels,
        vrf=vrf,
    )
    return held


def days_ago(days: int) -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=days)


def keep_history(client: moorage.Client, days: int) -> None:
    vrf = client.get_vrf("default")
    vrf.configuration.history_retention_days = days
    client.update_vrf(vrf, update_mask=["configuration.history_retention_days"])


def take_turns(client: moorage.Client, address: str, *containers: str) -> None:
    """Each holds the address and releases it; the last one keeps it."""
    for container in containers[:-1]:
        hold(client, container, address)
        calls.release(client, container)
    hold(client, containers[-1], address)


@pytest.mark.parametrize("address", ["10.0.0.7", "fd00::7"])
def test_the_timeline_of_an_address_is_told_in_order(client: moorage.Client, address: str) -> None:
    calls.create_pool(client, "v4", "10.0.0.0/24")
    calls.create_pool(client, "v6", "fd00::/64")
    take_turns(client, address, "c1", "c2", "c3")
    first, second, third = client.history(of(address))
    assert holders([first, second, third]) == ["c1", "c2", "c3"]
    for earlier, later in ((first, second), (second, third)):
        assert when(earlier.release_time) <= when(later.allocation.assign_time)
        assert earlier.allocation.generation < earlier.release_generation
        assert earlier.release_generation < later.allocation.generation
        assert earlier.release_cause == REQUESTED
    assert not third.HasField("release_time")
    assert (third.release_generation, third.release_cause) == (0, 0)


def test_a_holding_carries_what_was_recorded_without_what_its_pool_says_today(
    client: moorage.Client,
) -> None:
    calls.create_pool(client, "a", "10.0.0.0/24", gateway="10.0.0.1")
    facts = {"owner": "cart", "node": "n1", "namespace": "shop", "labels": {"tier": "front"}}
    held = hold(client, "c1", "10.0.0.7", **facts)  # type: ignore[arg-type]  # of several types
    held.ClearField("prefix_length")
    held.ClearField("gateway")
    (live,) = client.history()
    assert live == history_pb2.Holding(allocation=held, assign_actor=live.assign_actor)
    calls.release(client, "c1")
    (ended,) = client.history()
    assert ended.allocation == held


def test_at_every_microsecond_there_is_one_holder_at_most(client: moorage.Client) -> None:
    calls.create_pool(client, "a", "10.0.0.0/24")
    take_turns(client, "10.0.0.7", "c1", "c2", "c3")
    for holding in client.history():
        held, container = holding.allocation, holding.allocation.attachment.container_id
        assigned = when(held.assign_time)
        assert holders(client.history(of("10.0.0.7"), at=assigned)) == [container]
        assert container not in holders(client.history(at=assigned - MICROSECOND))
        if holding.HasField("release_time"):
            released = when(holding.release_time)
            assert holders(client.history(at=released - MICROSECOND)) == [container]
            assert container not in holders(client.history(at=released))
    assert holders(client.history(at=datetime.datetime.now(datetime.UTC))) == ["c3"]


def test_an_interval_has_its_start_and_not_its_end(client: moorage.Client) -> None:
    calls.create_pool(client, "a", "10.0.0.0/24")
    take_turns(client, "10.0.0.7", "c1", "c2", "c3")
    first, second, _ = client.history()
    begun, ended = when(second.allocation.assign_time), when(second.release_time)
    assert holders(client.history(start=begun, end=ended)) == ["c2"]
    assert holders(client.history(start=ended)) == ["c3"]
    assert holders(client.history(start=ended - MICROSECOND)) == ["c2", "c3"]
    assert holders(client.history(end=begun)) == ["c1"]
    assert holders(client.history(end=begun + MICROSECOND)) == ["c1", "c2"]
    assert holders(client.history(start=when(first.release_time), end=begun)) == []


def test_a_fraction_of_a_microsecond_is_not_lost(
    client: moorage.Client, channel: grpc.Channel
) -> None:
    calls.create_pool(client, "a", "10.0.0.0/24")
    hold(client, "c1", "10.0.0.7")
    (live,) = client.history()
    stub = allocation_service_pb2_grpc.AllocationServiceStub(channel)
    end = live.allocation.assign_time
    assert holders(stub.ListAllocationHistory(Request(end_time=end)).holdings) == []
    end.nanos += 1
    assert holders(stub.ListAllocationHistory(Request(end_time=end)).holdings) == ["c1"]
    assert holders(stub.ListAllocationHistory(Request(at_time=end)).holdings) == ["c1"]


FILTERS = [
    (Filter(), ["c1", "c2", "c3", "c4"]),
    (Filter(pools=["a"]), ["c1", "c2"]),
    (Filter(pools=["10.1.0.0/24", "v6"]), ["c3", "c4"]),
    (Filter(cidr="10.0.0.0/29"), ["c1"]),
    (Filter(cidr="10.0.0.0/8", pools=["b"]), ["c3"]),
    (Filter(cidr="fd00::5"), ["c4"]),
    (Filter(attachment=calls.attachment("c2")), ["c2"]),
    (Filter(attachment=resources_pb2.Attachment(container_id="c3")), ["c3"]),
    (Filter(attachment=resources_pb2.Attachment(network="pods")), ["c1", "c2", "c3", "c4"]),
    (Filter(attachment=resources_pb2.Attachment(interface="net1")), []),
    (Filter(workload=Workload(node="n1")), ["c1", "c2"]),
    (Filter(workload=Workload(namespace="shop")), ["c1", "c3"]),
    (Filter(workload=Workload(namespace="shop", pod="c3")), ["c3"]),
    (Filter(workload=Workload(pod="c1")), ["c1"]),
    (Filter(owner_key="cart"), ["c1", "c4"]),
    (Filter(owner_key="cart", workload=Workload(node="n1")), ["c1"]),
    (Filter(labels={"tier": "front"}), ["c2"]),
    (Filter(labels={"tier": "front", "more": ""}), []),
]


@pytest.mark.parametrize("released", [(), ("c1", "c3"), ("c1", "c2", "c3", "c4")])
def test_a_filter_means_the_same_of_what_is_held_and_of_what_was(
    client: moorage.Client, released: tuple[str, ...]
) -> None:
    for name, cidr in (("a", "10.0.0.0/24"), ("b", "10.1.0.0/24"), ("v6", "fd00::/64")):
        calls.create_pool(client, name, cidr)
    hold(client, "c1", "10.0.0.5", node="n1", namespace="shop", owner="cart")
    hold(client, "c2", "10.0.0.9", node="n1", labels={"tier": "front"})
    hold(client, "c3", "10.1.0.5", node="n2", namespace="shop")
    hold(client, "c4", "fd00::5", owner="cart")
    for container in released:
        calls.release(client, container)
    for wanted, expected in FILTERS:
        assert holders(client.history(wanted)) == expected, wanted
        assert holders(client.history(wanted, page_size=1)) == expected, wanted


def test_a_pool_is_meant_by_the_range_that_it_has_now(client: moorage.Client) -> None:
    calls.create_pool(client, "old", "10.0.0.0/24")
    hold(client, "c1", "10.0.0.5")
    calls.release(client, "c1")
    client.delete_pool("old")
    calls.create_pool(client, "new", "10.0.0.0/25")
    (holding,) = client.history(Filter(pools=["new"]))
    assert holding.allocation.pool == "vrfs/default/pools/old"
    with pytest.raises(moorage.NotFound, match='"old"'):
        list(client.history(Filter(pools=["old"])))


def test_the_same_address_in_two_vrfs_has_two_histories(client: moorage.Client) -> None:
    client.create_vrf("blue")
    for vrf in ("default", "blue"):
        client.create_pool(
            "a",
            resources_pb2.Pool(
                cidr="10.0.0.0/24", block_affinity=resources_pb2.BLOCK_AFFINITY_NONE
            ),
            vrf=vrf,
        )
    hold(client, "c1", "10.0.0.7")
    hold(client, "c2", "10.0.0.7", vrf="blue")
    calls.release(client, "c1")
    hold(client, "c3", "10.0.0.7")
    assert holders(client.history(of("10.0.0.7"))) == ["c1", "c3"]
    assert holders(client.history(of("10.0.0.7"), vrf="blue")) == ["c2"]
    with pytest.raises(moorage.NotFound):
        list(client.history(vrf="red"))


def test_a_vrf_that_is_made_again_has_no_past(client: moorage.Client) -> None:
    client.create_vrf("blue")
    pool = resources_pb2.Pool(cidr="10.0.0.0/24")
    client.create_pool("a", pool, vrf="blue")
    hold(client, "c1", "10.0.0.7", vrf="blue")
    client.release(calls.attachment("c1"), vrf="blue")
    client.delete_pool("a", vrf="blue")
    client.delete_vrf("blue")
    client.create_vrf("blue")
    assert list(client.history(vrf="blue")) == []


def test_a_restarted_sandbox_is_another_holder_of_the_same_pod(client: moorage.Client) -> None:
    calls.create_pool(client, "a", "10.0.0.0/24")
    pod = Workload(node="n1", namespace="shop", pod="cart-0", pod_uid="u1", cluster="east")
    for container in ("s1", "s2", "s3"):
        client.assign(
            calls.attachment(container), [calls.fixed("10.0.0.7")], workload=pod, owner_key="cart"
        )
        if container != "s3":
            client.release(calls.attachment(container))
    same = calls.attachment("s4")
    client.assign(same, [calls.want()], workload=Workload(namespace="shop", pod="cart-0"))
    named = Workload(namespace="shop", pod="cart-0", cluster="east")
    wanted = Filter(workload=named, owner_key="cart")
    told = list(client.history(wanted))
    assert holders(told) == ["s1", "s2", "s3"]
    assert [each.allocation.workload for each in told] == [pod] * 3


def test_whoever_turns_pages_while_addresses_change_hands_is_told_of_each_holding_once(
    client: moorage.Client, channel: grpc.Channel
) -> None:
    calls.create_pool(client, "a", "10.0.0.0/24")
    names = [f"c{at:02}" for at in range(24)]
    for at, name in enumerate(names):
        hold(client, name, f"10.0.0.{at}")
    for name in names[::3]:
        calls.release(client, name)
    stub = allocation_service_pb2_grpc.AllocationServiceStub(channel)
    told: list[str] = []
    request = Request(page_size=3)
    moving = [name for at, name in enumerate(names) if at % 3]
    while True:
        page = stub.ListAllocationHistory(request)
        told += holders(page.holdings)
        request.page_token = page.next_page_token
        if not request.page_token:
            break
        # One from behind the page, one from before it; a new one takes the address.
        for name in (moving.pop(0), moving.pop()) if len(moving) > 1 else ():
            calls.release(client, name)
            hold(client, f"new-{name}", f"10.0.0.{names.index(name)}")
    assert [name for name in told if not name.startswith("new-")] == names
    assert len(told) == len(set(told))


def test_pages_are_complete_while_many_release_at_once(client: moorage.Client) -> None:
    calls.create_pool(client, "a", "10.0.0.0/24")
    names = [f"c{at:03}" for at in range(120)]
    for at, name in enumerate(names):
        hold(client, name, f"10.0.0.{at}")
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        releases = [threads.submit(calls.release, client, name) for name in reversed(names)]
        while not all(release.done() for release in releases):
            assert holders(client.history(page_size=7)) == names
    assert holders(client.history(page_size=7)) == names


def test_what_a_vrf_does_not_keep_is_not_told(
    client: moorage.Client, database: postgres.Database
) -> None:
    past.add_months(database, 2)
    calls.create_pool(client, "a", "10.0.0.0/24")
    take_turns(client, "10.0.0.7", "gone", "kept", "now")
    hold(client, "long", "10.0.0.8")
    past.age(database, 31, "gone")
    past.age(database, 29, "kept")
    past.age(database, 45, "long")
    assert holders(client.history()) == ["gone", "kept", "now", "long"]
    keep_history(client, 30)
    assert holders(client.history()) == ["kept", "now", "long"]
    assert holders(client.history(start=days_ago(60), end=days_ago(30))) == ["long"]
    assert holders(client.history(at=days_ago(31))) == ["long"]
    known = client.history_known_since()
    assert abs(known - days_ago(30)) < datetime.timedelta(minutes=1)
    keep_history(client, 0)
    assert holders(client.history()) == ["gone", "kept", "now", "long"]
    first = days_ago(0).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    assert client.history_known_since() < first - datetime.timedelta(days=58)


def test_a_page_token_belongs_to_its_request(client: moorage.Client, channel: grpc.Channel) -> None:
    calls.create_pool(client, "a", "10.0.0.0/24")
    take_turns(client, "10.0.0.7", "c1", "c2")
    stub = allocation_service_pb2_grpc.AllocationServiceStub(channel)
    token = stub.ListAllocationHistory(Request(page_size=1)).next_page_token
    last = stub.ListAllocationHistory(Request(page_size=9, page_token=token))
    assert (holders(last.holdings), last.next_page_token) == (["c2"], "")
    now = timestamp_pb2.Timestamp(seconds=1)
    for other in (
        Request(page_token=token, filter=of("10.0.0.7")),
        Request(page_token=token, at_time=now),
        Request(page_token=token, parent="vrfs/default"),
    ):
        refusal = refusals.of(stub.ListAllocationHistory, other)
        assert refusal.reason == "PAGE_TOKEN_MISMATCH"


NOON, LATER = timestamp_pb2.Timestamp(seconds=43200), timestamp_pb2.Timestamp(seconds=86400)
NEVER = timestamp_pb2.Timestamp(seconds=2**62)


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (Request(at_time=NOON, start_time=NOON), ["at_time"]),
        (Request(at_time=NOON, end_time=NOON), ["at_time"]),
        (Request(start_time=NOON, end_time=NOON), ["end_time"]),
        (Request(start_time=LATER, end_time=NOON), ["end_time"]),
        (Request(start_time=NEVER, end_time=NEVER), ["start_time", "end_time"]),
        (Request(at_time=NEVER, parent="default"), ["parent", "at_time"]),
        (Request(page_size=-1, filter=of("10.0.0.1/24")), ["page_size", "filter.cidr"]),
        (
            Request(filter=Filter(workload=Workload(namespace_labels={"a": "b"}))),
            ["filter.workload.namespace_labels"],
        ),
    ],
)
def test_a_malformed_question_is_refused_with_every_field(
    unchanged: grpc.Channel, request_: Request, fields: list[str]
) -> None:
    stub = allocation_service_pb2_grpc.AllocationServiceStub(unchanged)
    refusal = refusals.of(stub.ListAllocationHistory, request_)
    assert refusal.told() == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", {})
    assert refusal.fields == fields


@pytest.mark.parametrize("key", ["everything", "-1", "9" * 20, "\u0661"])
def test_a_token_that_is_made_up_is_refused(unchanged: grpc.Channel, key: str) -> None:
    request = Request()
    request.page_token = page_tokens.encode(request, key)
    stub = allocation_service_pb2_grpc.AllocationServiceStub(unchanged)
    assert refusals.of(stub.ListAllocationHistory, request).fields == ["page_token"]


@pytest.mark.parametrize("year", [1, 9999])
def test_the_ends_of_time_can_be_asked_for(unchanged: grpc.Channel, year: int) -> None:
    stamp = timestamp_pb2.Timestamp()
    stamp.FromDatetime(datetime.datetime(year, 12, 31, 23, 59, 59, 999999))
    stub = allocation_service_pb2_grpc.AllocationServiceStub(unchanged)
    for request in (Request(at_time=stamp), Request(start_time=stamp), Request(end_time=stamp)):
        assert not stub.ListAllocationHistory(request).holdings
