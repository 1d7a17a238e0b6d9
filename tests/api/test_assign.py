"""AssignAddresses and ReleaseAddresses through a real channel: what callers rely on."""

import itertools

import grpc
import pytest

import moorage
from harness.calls import (
    IPV4,
    IPV6,
    addresses_of,
    assign,
    attachment,
    create_pool,
    fixed,
    release,
    want,
)
from harness.serving import Serving
from moorage.v1 import allocation_service_pb2 as requests
from moorage.v1 import allocation_service_pb2_grpc as stubs
from moorage.v1 import filter_pb2
from moorage.v1 import resources_pb2 as messages


def test_a_second_assign_returns_the_same_allocation(
    client: moorage.Client, server: Serving
) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    first = assign(client)
    assert addresses_of(first) == ["10.0.0.0"]
    assert assign(client) == first
    assert server.database.scalar("SELECT count(*) FROM events") == 1


def test_an_allocation_tells_everything_about_itself(client: moorage.Client) -> None:
    create_pool(
        client,
        "link",
        "10.0.0.0/24",
        result_form=messages.RESULT_FORM_POOL,
        gateway="10.0.0.1",
        exclude_network_addresses=True,
        routes=[messages.Route(destination="0.0.0.0/0")],
        dns=messages.Dns(nameservers=["10.0.0.53"], searches=["example.org"]),
    )
    (held,) = client.assign(
        attachment(),
        [want()],
        workload=messages.Workload(
            node="n1",
            namespace="shop",
            pod="web-0",
            pod_uid="7f1d",
            cluster="e0a7",
            namespace_labels={"team": "blue"},
        ),
        use=messages.USE_TUNNEL,
        owner_key="shop/web-0",
        labels={"tier": "front"},
    )
    assert held.generation > 0
    assert held.HasField("assign_time")
    held.ClearField("generation")
    held.ClearField("assign_time")
    assert held == messages.Allocation(
        name="vrfs/default/allocations/10.0.0.2",
        address="10.0.0.2",
        prefix_length=24,
        pool="vrfs/default/pools/link",
        block="10.0.0.0/26",
        attachment=attachment(),
        workload=messages.Workload(
            node="n1", namespace="shop", pod="web-0", pod_uid="7f1d", cluster="e0a7"
        ),
        owner_key="shop/web-0",
        use=messages.USE_TUNNEL,
        labels={"tier": "front"},
        gateway="10.0.0.1",
        routes=[messages.Route(destination="0.0.0.0/0", gateway="10.0.0.1")],
        dns=messages.Dns(nameservers=["10.0.0.53"], searches=["example.org"]),
    )


@pytest.mark.parametrize(
    ("form", "prefix_length"),
    [
        (messages.RESULT_FORM_HOST, 32),
        (messages.RESULT_FORM_BLOCK, 28),
        (messages.RESULT_FORM_POOL, 24),
    ],
)
def test_the_prefix_length_is_of_the_pools_result_form(
    client: moorage.Client, form: messages.ResultForm.ValueType, prefix_length: int
) -> None:
    create_pool(client, "a", "10.0.0.0/24", block_size=28, result_form=form)
    assert assign(client)[0].prefix_length == prefix_length


def test_both_families_come_in_one_call_and_go_in_one(client: moorage.Client) -> None:
    create_pool(client, "four", "10.0.0.0/24")
    create_pool(client, "six", "fd00::/64")
    held = assign(client, "c1", want(IPV6), want(IPV4))
    assert addresses_of(held) == ["fd00::", "10.0.0.0"]
    assert sorted(release(client)) == ["10.0.0.0", "fd00::"]


def test_if_one_address_cannot_be_had_none_is_assigned(
    client: moorage.Client, server: Serving
) -> None:
    create_pool(client, "four", "10.0.0.0/24")
    with pytest.raises(moorage.Conflict) as refusal:
        assign(client, "c1", want(IPV4), want(IPV6))
    assert refusal.value.reason == "NO_ELIGIBLE_POOL"
    for table in ("allocations", "attachments", "events", "blocks"):
        assert server.database.scalar(f"SELECT count(*) FROM {table}") == 0
    assert addresses_of(assign(client, "c2")) == ["10.0.0.0"]


def test_the_same_attachment_asking_for_something_else_is_refused(client: moorage.Client) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    create_pool(client, "b", "10.0.1.0/24")
    held = assign(client, "c1", want(pools=("a",)))
    for other in ((fixed("10.0.0.9"),), (want(pools=("b",)),), (want(), want())):
        with pytest.raises(moorage.Conflict) as refusal:
            assign(client, "c1", *other)
        assert refusal.value.reason == "ATTACHMENT_CHANGED"
        assert refusal.value.metadata == {
            "vrf": "default",
            "network": "pods",
            "container_id": "c1",
            "interface": "eth0",
        }
    for compatible in ((want(),), (fixed("10.0.0.0"),), (want(pools=("10.0.0.0/24", "b")),)):
        assert assign(client, "c1", *compatible) == held


def test_an_attachment_is_a_network_a_container_and_an_interface(client: moorage.Client) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    keys = [
        attachment(),
        attachment(interface="net1"),
        attachment("c2"),
        messages.Attachment(network="other", container_id="c1", interface="eth0"),
    ]
    held = [client.assign(key, [want()])[0].address for key in keys]
    assert len(set(held)) == 4


def test_two_vrfs_may_hold_the_same_address(client: moorage.Client) -> None:
    client.create_vrf("blue")
    for vrf in ("default", "blue"):
        client.create_pool("a", messages.Pool(cidr="10.0.0.0/24"), vrf=vrf)
    held = [client.assign(attachment(), [want()], vrf=vrf)[0] for vrf in ("default", "blue")]
    assert [each.address for each in held] == ["10.0.0.0", "10.0.0.0"]
    assert held[1].name == "vrfs/blue/allocations/10.0.0.0"
    assert client.release(attachment(), vrf="blue")[0].generation == held[1].generation
    assert client.get_allocation("10.0.0.0").generation == held[0].generation


def test_a_reserved_address_is_not_given_unless_asked_for(client: moorage.Client) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    client.create_reservation("first", messages.Reservation(cidrs=["10.0.0.0/30"]))
    assert addresses_of(assign(client, "c1")) == ["10.0.0.4"]
    assert addresses_of(assign(client, "c2", fixed("10.0.0.1"))) == ["10.0.0.1"]
    client.delete_reservation("first")
    assert addresses_of(assign(client, "c3")) == ["10.0.0.0"]


def test_disabling_a_pool_takes_effect_on_the_next_assign(client: moorage.Client) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    held = assign(client, "c1")
    client.update_pool(
        messages.Pool(name="vrfs/default/pools/a", disabled=True), update_mask=["disabled"]
    )
    with pytest.raises(moorage.Conflict) as refusal:
        assign(client, "c2", want(pools=("a",)))
    assert refusal.value.reason == "POOL_DISABLED"
    assert assign(client, "c1") == held


def test_node_labels_decide_from_the_next_assign_on(client: moorage.Client) -> None:
    create_pool(client, "east", "10.0.0.0/24", node_selector="zone == 'east'")
    with pytest.raises(moorage.Conflict) as refusal:
        assign(client, "c1", node="n1")
    assert refusal.value.reason == "NO_ELIGIBLE_POOL"
    client.upsert_node(messages.Node(name="vrfs/default/nodes/n1", labels={"zone": "east"}))
    assert addresses_of(assign(client, "c1", node="n1")) == ["10.0.0.0"]


def test_a_released_address_is_the_last_to_come_back(client: moorage.Client) -> None:
    create_pool(client, "a", "10.0.0.0/30")
    assert addresses_of(assign(client, "c0")) == ["10.0.0.0"]
    assert release(client, "c0") == ["10.0.0.0"]
    order = [assign(client, f"c{each}")[0].address for each in (1, 2, 3, 4)]
    assert order == ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.0"]


def test_the_generation_of_an_address_grows_with_every_change(client: moorage.Client) -> None:
    create_pool(client, "a", "10.0.0.0/32")
    seen = []
    for each in range(3):
        seen.append(assign(client, f"c{each}")[0].generation)
        release(client, f"c{each}")
    assert seen == sorted(set(seen))
    assert all(later - earlier >= 2 for earlier, later in itertools.pairwise(seen))


def test_a_release_of_an_older_generation_touches_nothing(client: moorage.Client) -> None:
    create_pool(client, "a", "10.0.0.0/32")
    (old,) = assign(client)
    release(client)
    (new,) = assign(client)
    assert release(client, generations=(old.generation,)) == []
    assert client.get_allocation("10.0.0.0") == new
    assert release(client, generations=(new.generation,)) == ["10.0.0.0"]


def test_a_release_by_generation_leaves_the_other_addresses(client: moorage.Client) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    first, second = assign(client, "c1", want(), want())
    assert release(client, generations=(first.generation,)) == [first.address]
    assert [each.address for each in client.allocations()] == [second.address]
    assert release(client) == [second.address]


def test_releasing_what_is_not_there_succeeds(client: moorage.Client) -> None:
    assert release(client, "never-seen") == []
    assert release(client, "never-seen") == []


def test_an_assign_that_a_release_overtook_is_refused(client: moorage.Client) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    assert release(client, stamp=20) == []
    with pytest.raises(moorage.Conflict) as refusal:
        assign(client, stamp=10)
    assert refusal.value.reason == "ATTACHMENT_RELEASED"
    assert addresses_of(assign(client, stamp=30)) == ["10.0.0.0"]


def test_a_late_repeat_of_a_released_assign_is_refused(client: moorage.Client) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    assign(client, stamp=10)
    assert release(client, stamp=20) == ["10.0.0.0"]
    with pytest.raises(moorage.Conflict) as refusal:
        assign(client, stamp=10)
    assert refusal.value.reason == "ATTACHMENT_RELEASED"


def test_a_release_that_began_before_the_assign_touches_nothing(client: moorage.Client) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    held = assign(client, stamp=30)
    assert release(client, stamp=20) == []
    assert assign(client, stamp=40) == held


def test_allocations_are_listed_in_order_page_by_page(client: moorage.Client) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    create_pool(client, "six", "fd00::/64")
    for each in range(5):
        assign(client, f"c{each}", want(IPV6), want(IPV4))
    listed = [each.address for each in client.allocations(page_size=3)]
    assert listed == [f"10.0.0.{n}" for n in range(5)] + [
        "fd00::" if n == 0 else f"fd00::{n}" for n in range(5)
    ]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (filter_pb2.AllocationFilter(pools=["b"]), ["10.0.1.0"]),
        (filter_pb2.AllocationFilter(pools=["b", "10.0.0.0/24"]), ["10.0.0.0", "10.0.1.0"]),
        (filter_pb2.AllocationFilter(cidr="10.0.0.0/25"), ["10.0.0.0"]),
        (filter_pb2.AllocationFilter(cidr="10.0.1.0"), ["10.0.1.0"]),
        (filter_pb2.AllocationFilter(attachment=attachment("c2")), ["10.0.1.0"]),
        (
            filter_pb2.AllocationFilter(attachment=messages.Attachment(container_id="c2")),
            ["10.0.1.0"],
        ),
        (
            filter_pb2.AllocationFilter(workload=messages.Workload(namespace="shop", pod="c1")),
            ["10.0.0.0"],
        ),
        (filter_pb2.AllocationFilter(workload=messages.Workload(node="n2")), ["10.0.1.0"]),
        (filter_pb2.AllocationFilter(owner_key="nobody"), []),
        (filter_pb2.AllocationFilter(labels={"no": "such"}), []),
        (filter_pb2.AllocationFilter(pools=["b"], workload=messages.Workload(node="n1")), []),
    ],
    ids=str,
)
def test_a_filter_leaves_what_matches_every_field(
    client: moorage.Client, wanted: filter_pb2.AllocationFilter, found: list[str]
) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    create_pool(client, "b", "10.0.1.0/24")
    assign(client, "c1", want(pools=("a",)), node="n1")
    assign(client, "c2", want(pools=("b",)), node="n2")
    assert [each.address for each in client.allocations(wanted)] == found


def test_a_page_token_is_of_one_listing_only(client: moorage.Client, channel: grpc.Channel) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    for each in range(3):
        assign(client, f"c{each}")
    stub = stubs.AllocationServiceStub(channel)
    page = stub.ListAllocations(requests.ListAllocationsRequest(page_size=2))
    assert len(page.allocations) == 2
    other = requests.ListAllocationsRequest(
        page_token=page.next_page_token, filter=filter_pb2.AllocationFilter(owner_key="x")
    )
    with pytest.raises(grpc.RpcError, match="page token is not of this listing"):
        stub.ListAllocations(other)


def test_nobody_holds_an_address_that_was_never_assigned(client: moorage.Client) -> None:
    with pytest.raises(moorage.NotFound) as refusal:
        client.get_allocation("10.0.0.1")
    assert refusal.value.reason == "ALLOCATION_NOT_FOUND"
    assert refusal.value.metadata == {"vrf": "default", "address": "10.0.0.1"}


def test_an_exhausted_pool_is_told_with_counts_and_the_next_step(client: moorage.Client) -> None:
    create_pool(client, "a", "10.0.0.0/30")
    client.create_reservation("last", messages.Reservation(cidrs=["10.0.0.3"]))
    for each in range(3):
        assign(client, f"c{each}")
    with pytest.raises(moorage.Exhausted) as refusal:
        assign(client, "one-too-many")
    assert refusal.value.reason == "POOL_EXHAUSTED"
    assert refusal.value.metadata == {
        "vrf": "default",
        "family": "IPV4",
        "pools": "a",
        "size": "4",
        "assigned": "3",
        "reserved": "1",
        "kept": "0",
    }
    assert str(refusal.value) == (
        'no free IPV4 address in pool "a" (4 addresses): 3 assigned, 1 reserved or excluded; '
        "add a pool or release allocations"
    )


def test_a_page_is_never_larger_than_a_message(
    client: moorage.Client, channel: grpc.Channel
) -> None:
    create_pool(client, "a", "10.0.0.0/22")
    labels = {f"label-{at}": "x" * 256 for at in range(32)}
    for at in range(500):
        client.assign(attachment(f"c{at}"), [want()], labels=labels)
    stub = stubs.AllocationServiceStub(channel)
    page = stub.ListAllocations(requests.ListAllocationsRequest(page_size=1000))
    assert 0 < len(page.allocations) < 500
    assert len(list(client.allocations(page_size=1000))) == 500


def test_an_assign_that_is_repeated_later_outlives_an_older_release(
    client: moorage.Client,
) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    held = assign(client, stamp=10)
    assert assign(client, stamp=20) == held
    assert release(client, stamp=15) == []
    assert release(client, stamp=30) == ["10.0.0.0"]


def test_a_release_held_off_by_its_generation_holds_off_no_other(client: moorage.Client) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    assign(client, stamp=10)
    assert release(client, stamp=30, generations=(99999,)) == []
    assert release(client, stamp=20) == ["10.0.0.0"]


@pytest.mark.parametrize(
    "wants",
    [
        (want(), fixed("10.0.0.0")),
        (fixed("10.0.0.1", "10.0.0.2"), fixed("10.0.0.1")),
        (fixed("10.0.0.3"), want(), fixed("10.0.0.0")),
        (want(), want(pools=("a",)), fixed("10.0.0.0")),
    ],
    ids=str,
)
def test_a_request_does_not_take_from_itself_what_it_names(
    client: moorage.Client, wants: tuple[requests.AddressRequest, ...]
) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    held = addresses_of(assign(client, "c1", *wants))
    assert len(set(held)) == len(wants)
    for address, each in zip(held, wants, strict=True):
        assert not each.candidate_addresses or address in each.candidate_addresses


def test_a_repeat_is_answered_although_a_pool_it_names_is_gone(client: moorage.Client) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    create_pool(client, "b", "10.0.1.0/24")
    held = assign(client, "c1", want(pools=("a", "b")))
    client.delete_pool("b")
    assert assign(client, "c1", want(pools=("a", "b"))) == held


def test_a_refusal_keeps_its_reason_however_many_pools_there_are(client: moorage.Client) -> None:
    labels = {f"label-{at}": "x" * 200 for at in range(60)}
    client.upsert_node(messages.Node(name="vrfs/default/nodes/n1", labels=labels))
    name = "p" * 200
    for at in range(40):
        create_pool(client, f"{name}-{at}", f"10.0.{at}.0/32", node_selector="has(nothing)")
    with pytest.raises(moorage.Conflict) as refusal:
        assign(client, "c1", node="n1")
    assert refusal.value.reason == "NO_ELIGIBLE_POOL"
    assert "and 36 more" in str(refusal.value)
    named = tuple(f"{name}-{at}" for at in range(16))
    for at in range(16):
        assign(client, f"c{at}", want(pools=named))
    with pytest.raises(moorage.Exhausted) as full:
        assign(client, "one-too-many", want(pools=named))
    assert full.value.reason == "POOL_EXHAUSTED"
    assert full.value.metadata["size"] == "16"


def test_blocks_that_a_reservation_hides_are_not_locked_by_who_cannot_use_them(
    client: moorage.Client, server: Serving
) -> None:
    create_pool(client, "a", "10.0.0.0/24", block_size=28)
    for at in range(8):
        assign(client, f"c{at}", fixed(f"10.0.0.{at * 16}"))
    client.create_reservation("half", messages.Reservation(cidrs=["10.0.0.0/25"]))
    with server.database.connect() as stranger:
        stranger.exec_driver_sql("SELECT FROM blocks FOR UPDATE")
        assert addresses_of(assign(client, "free")) == ["10.0.0.128"]


def test_a_database_that_freezes_is_told_in_time_as_an_unknown_outcome(
    client: moorage.Client, channel: grpc.Channel, server: Serving
) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    assign(client, "c0")
    stub = stubs.AllocationServiceStub(channel)
    request = requests.AssignAddressesRequest(attachment=attachment("c1"), addresses=[want()])
    with (
        server.database.frozen(),
        pytest.raises(grpc.RpcError, match="may or may not have been made"),
    ):
        stub.AssignAddresses(request, timeout=2)
    assert addresses_of(assign(client, "c1")) == ["10.0.0.1"]
