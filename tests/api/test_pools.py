"""PoolService, through a real channel: what pools are; who is refused; how they change."""

import grpc
import pytest

from api import pool_requests, refusals
from api.pool_requests import Dns, Pool, Route, create, creation, name, update
from harness import serving
from moorage.v1 import pool_service_pb2 as messages
from moorage.v1 import resources_pb2

VERSION = "SELECT catalog_version FROM vrfs WHERE name = 'default'"


@pytest.fixture
def pools(channel: grpc.Channel) -> pool_requests.Stub:
    return pool_requests.Stub(channel)


def test_a_pool_is_returned_with_every_default_filled_in(pools: pool_requests.Stub) -> None:
    made = create(pools, "a", "10.0.0.0/16", uid="mine", etag="7", name="vrfs/x/pools/y")
    expected = Pool(
        name="vrfs/default/pools/a",
        uid=made.uid,
        cidr="10.0.0.0/16",
        block_size=26,
        node_selector="all()",
        allowed_uses=[resources_pb2.USE_WORKLOAD, resources_pb2.USE_TUNNEL],
        assignment_mode=resources_pb2.ASSIGNMENT_MODE_AUTOMATIC,
        block_affinity=resources_pb2.BLOCK_AFFINITY_NODE,
        result_form=resources_pb2.RESULT_FORM_HOST,
        etag=made.etag,
        create_time=made.create_time,
        update_time=made.update_time,
        state=resources_pb2.POOL_STATE_ACTIVE,
        cooldown_policy=resources_pb2.COOLDOWN_POLICY_REFUSE,
        fixed_addresses=resources_pb2.FIXED_ADDRESSES_ANY,
    )
    assert made == expected
    assert made.uid not in ("", "mine")
    assert made.create_time.seconds > 0
    assert pools.GetPool(messages.GetPoolRequest(name=name("a"))).pool == made


def test_every_field_is_kept_and_returned_in_canonical_spelling(pools: pool_requests.Stub) -> None:
    made = create(
        pools,
        "a.b-c",
        "FD00:0::/64",
        block_size=120,
        node_selector="zone=='east'&&has(gpu)",
        namespace_selector="tier in {'web','api'}",
        allowed_uses=[resources_pb2.USE_WORKLOAD],
        assignment_mode=resources_pb2.ASSIGNMENT_MODE_MANUAL,
        disabled=True,
        block_affinity=resources_pb2.BLOCK_AFFINITY_NONE,
        priority=-1000,
        result_form=resources_pb2.RESULT_FORM_POOL,
        gateway="fd00:0:0:0::1",
        routes=[Route(destination="::/0"), Route(destination="FD01::/16", gateway="fd00::2")],
        dns=Dns(nameservers=["10.0.0.53"], domain="a", searches=["b"], options=["c"]),
        excluded_ranges=["fd00::2", "fd00::100/120", "fd00::8-fd00::f", "fd00::9-fd00::a"],
        exclude_network_addresses=True,
        labels={"a": "b"},
    )
    assert (made.cidr, made.block_size, made.gateway) == ("fd00::/64", 120, "fd00::1")
    assert made.node_selector == '(zone == "east" && has(gpu))'
    assert made.namespace_selector == 'tier in {"api", "web"}'
    assert made.allowed_uses == [resources_pb2.USE_WORKLOAD]
    assert made.assignment_mode == resources_pb2.ASSIGNMENT_MODE_MANUAL
    assert made.block_affinity == resources_pb2.BLOCK_AFFINITY_NONE
    assert made.result_form == resources_pb2.RESULT_FORM_POOL
    assert (made.disabled, made.exclude_network_addresses, made.priority) == (True, True, -1000)
    assert [(each.destination, each.gateway) for each in made.routes] == [
        ("::/0", ""),
        ("fd01::/16", "fd00::2"),
    ]
    assert made.dns == Dns(nameservers=["10.0.0.53"], domain="a", searches=["b"], options=["c"])
    ranges = ["fd00::2", "fd00::100/120", "fd00::8/125", "fd00::9-fd00::a"]
    assert (list(made.excluded_ranges), dict(made.labels)) == (ranges, {"a": "b"})
    assert pools.GetPool(messages.GetPoolRequest(name=name("a.b-c"))).pool == made


@pytest.mark.parametrize(
    ("cidr", "block_size"),
    [
        ("10.0.0.0/8", 26),
        ("10.0.0.0/26", 26),
        ("10.0.0.0/28", 28),
        ("10.0.0.7/32", 32),
        ("fd00::/32", 122),
        ("fd00::/124", 124),
        ("fd00::7/128", 128),
    ],
)
def test_the_default_block_is_no_larger_than_the_pool(
    pools: pool_requests.Stub, cidr: str, block_size: int
) -> None:
    assert create(pools, "a", cidr).block_size == block_size


def test_a_pool_for_namespaces_does_not_serve_tunnels_by_default(
    pools: pool_requests.Stub,
) -> None:
    made = create(pools, "a", "10.0.0.0/24", namespace_selector="has(team)")
    assert made.allowed_uses == [resources_pb2.USE_WORKLOAD]
    blank = create(pools, "b", "10.0.1.0/24", namespace_selector="  ")
    assert blank.namespace_selector == ""
    assert blank.allowed_uses == [resources_pb2.USE_WORKLOAD, resources_pb2.USE_TUNNEL]


def test_a_pool_may_serve_load_balancers_alone(pools: pool_requests.Stub) -> None:
    uses = [resources_pb2.USE_LOAD_BALANCER]
    assert create(pools, "a", "10.0.0.0/24", allowed_uses=uses).allowed_uses == uses


@pytest.mark.parametrize(("pool", "fields", "words"), pool_requests.REFUSED)
def test_a_malformed_pool_is_refused_with_every_field(
    unchanged: grpc.Channel, pool: Pool, fields: list[str], words: str
) -> None:
    refusal = refusals.of(pool_requests.Stub(unchanged).CreatePool, creation("a", pool))
    assert refusal.told() == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", {})
    assert refusal.fields == [f"pool.{field}" for field in fields]
    assert words in refusal.violations[0][1]
    assert f"{refusal.fields[0]}: {refusal.violations[0][1]}" in refusal.message


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (messages.CreatePoolRequest(), ["pool_id", "pool.cidr"]),
        (creation("A_b", Pool(cidr="10.0.0.0/24")), ["pool_id"]),
        (creation("a..b", Pool(cidr="10.0.0.0/24")), ["pool_id"]),
        (creation("x" * 254, Pool(cidr="10.0.0.0/24"), vrf="A"), ["parent", "pool_id"]),
        (messages.GetPoolRequest(), ["name"]),
        (messages.GetPoolRequest(name="a"), ["name"]),
        (messages.GetPoolRequest(name="vrfs/default/nodes/a"), ["name"]),
        (messages.GetPoolRequest(name="vrfs/default/pools/a/b"), ["name"]),
        (messages.GetPoolRequest(name="vrfs/default/pools/\x00"), ["name", "name"]),
        (messages.DeletePoolRequest(name="vrfs//pools/a"), ["name"]),
        (messages.ListPoolsRequest(parent="vrfs/default/pools"), ["parent"]),
        (messages.ListPoolsRequest(page_size=-1, labels={"": ""}), ["page_size", "labels key"]),
        (update(Pool()), ["pool.name"]),
        (update(Pool(name="a"), "colour", "dns.colour"), ["pool.name"] + ["update_mask"] * 2),
        (update(Pool(name=name("a")), "routes.gateway"), ["update_mask"]),
        (update(Pool(name=name("a")), "labels.a"), ["update_mask"]),
        (update(Pool(name=name("a")), ""), ["update_mask"]),
        (update(Pool(name=name("a")), "*", "nodeSelector"), ["update_mask"]),
    ],
)
def test_a_malformed_request_is_refused_with_every_field(
    unchanged: grpc.Channel,
    request_: messages.CreatePoolRequest
    | messages.GetPoolRequest
    | messages.ListPoolsRequest
    | messages.UpdatePoolRequest
    | messages.DeletePoolRequest,
    fields: list[str],
) -> None:
    method = request_.DESCRIPTOR.name.removesuffix("Request")
    refusal = refusals.of(getattr(pool_requests.Stub(unchanged), method), request_)
    assert refusal.told() == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", {})
    assert refusal.fields == fields


def test_an_id_is_taken_once_in_a_vrf(pools: pool_requests.Stub) -> None:
    create(pools, "a", "10.0.0.0/24")
    told = (
        grpc.StatusCode.ALREADY_EXISTS,
        "POOL_ALREADY_EXISTS",
        {"vrf": "default", "pool": "a"},
    )
    for cidr in ("10.0.0.0/24", "10.9.0.0/24"):
        assert refusals.of(pools.CreatePool, creation("a", Pool(cidr=cidr))).told() == told


@pytest.mark.parametrize(
    "cidr", ["10.0.0.0/24", "10.0.0.0/16", "10.0.0.128/25", "10.0.0.255/32", "0.0.0.0/1"]
)
def test_pools_of_a_vrf_do_not_overlap(pools: pool_requests.Stub, cidr: str) -> None:
    create(pools, "other", "10.0.0.0/24", disabled=True)
    assert refusals.of(pools.CreatePool, creation("a", Pool(cidr=cidr))).told() == (
        grpc.StatusCode.ALREADY_EXISTS,
        "POOL_OVERLAPS",
        {"vrf": "default", "pool": "a", "cidr": cidr, "conflicting_pool": "other"},
    )


def test_neighbours_and_other_families_do_not_overlap(pools: pool_requests.Stub) -> None:
    create(pools, "a", "10.0.1.0/24")
    create(pools, "b", "10.0.0.0/24")
    create(pools, "c", "10.0.2.0/24")
    create(pools, "d", "1000::/64")


def test_what_is_not_there_is_not_found(pools: pool_requests.Stub) -> None:
    for vrf in ("default", "red"):
        told = (grpc.StatusCode.NOT_FOUND, "POOL_NOT_FOUND", {"vrf": vrf, "pool": "a"})
        named = name("a", vrf)
        get, delete = (
            messages.GetPoolRequest(name=named),
            messages.DeletePoolRequest(name=named, etag="1"),
        )
        assert refusals.of(pools.GetPool, get).told() == told
        assert refusals.of(pools.DeletePool, delete).told() == told
        assert refusals.of(pools.UpdatePool, update(Pool(name=named, etag="1"))).told() == told


def test_a_vrf_that_is_not_there_takes_no_pools(pools: pool_requests.Stub) -> None:
    told = (grpc.StatusCode.NOT_FOUND, "VRF_NOT_FOUND", {"vrf": "red"})
    made = refusals.of(pools.CreatePool, creation("a", Pool(cidr="10.0.0.0/24"), vrf="red"))
    assert made.told() == told
    listed = refusals.of(pools.ListPools, messages.ListPoolsRequest(parent="vrfs/red"))
    assert listed.told() == told


def test_an_update_changes_what_its_mask_names(pools: pool_requests.Stub) -> None:
    made = create(pools, "a", "10.0.0.0/24", priority=5, labels={"a": "b"}, gateway="10.0.0.1")
    given = Pool(name=made.name, priority=7, disabled=True, labels={"c": "d"}, uid="mine")
    given.etag = made.etag
    after = pools.UpdatePool(update(given, "priority", "labels", "uid", "create_time")).pool
    expected = Pool()
    expected.CopyFrom(made)
    assert after.etag != made.etag
    expected.priority, expected.etag = 7, after.etag
    expected.labels.clear()
    expected.labels["c"] = "d"
    expected.update_time.CopyFrom(after.update_time)
    assert after == expected
    assert after.update_time.ToNanoseconds() > made.update_time.ToNanoseconds()


@pytest.mark.parametrize("paths", [(), ("*",), ("*", "priority")])
def test_without_a_choice_every_field_that_may_change_is_replaced(
    pools: pool_requests.Stub, paths: tuple[str, ...]
) -> None:
    made = create(
        pools, "a", "10.0.0.0/24", block_size=28, namespace_selector="has(a)", gateway="10.0.0.1"
    )
    after = pools.UpdatePool(update(Pool(name=made.name, disabled=True), *paths)).pool
    assert (after.cidr, after.block_size, after.uid) == (made.cidr, 28, made.uid)
    assert (after.namespace_selector, after.gateway, after.disabled) == ("", "", True)
    assert after.allowed_uses == [resources_pb2.USE_WORKLOAD, resources_pb2.USE_TUNNEL]


def test_a_path_may_lead_into_a_field(pools: pool_requests.Stub) -> None:
    dns = Dns(nameservers=["10.0.0.53"], domain="a")
    made = create(pools, "a", "10.0.0.0/24", dns=dns)
    given = Pool(name=made.name, dns=Dns(searches=["b"]))
    after = pools.UpdatePool(update(given, "dns.searches")).pool
    assert after.dns == Dns(nameservers=["10.0.0.53"], domain="a", searches=["b"])
    cleared = pools.UpdatePool(update(Pool(name=made.name), "dns.domain", "dns.searches")).pool
    assert cleared.dns == Dns(nameservers=["10.0.0.53"])
    none = pools.UpdatePool(update(Pool(name=made.name), "dns")).pool
    assert not none.HasField("dns")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (Pool(cidr="10.0.0.0/25"), "cidr"),
        (Pool(cidr="fd00::/64", block_size=28, gateway="fd00::1"), "cidr"),
        (Pool(block_size=28), "block_size"),
        (Pool(block_size=99), "block_size"),
    ],
)
@pytest.mark.parametrize("masked", [True, False])
def test_cidr_and_block_size_never_change(
    pools: pool_requests.Stub, given: Pool, field: str, masked: bool
) -> None:
    create(pools, "a", "10.0.0.0/24")
    changed = Pool(name=name("a"))
    changed.MergeFrom(given)
    refusal = refusals.of(pools.UpdatePool, update(changed, *([field] if masked else [])))
    assert refusal.told() == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "FIELD_IMMUTABLE",
        {"resource": name("a"), "field": field},
    )


def test_an_immutable_field_may_be_sent_back_as_it_is(pools: pool_requests.Stub) -> None:
    made = create(pools, "a", "fd00::/64")
    made.cidr = "FD00:0::/64"
    made.disabled = True
    after = pools.UpdatePool(update(made)).pool
    assert (after.cidr, after.disabled) == ("fd00::/64", True)
    made.etag = after.etag
    assert pools.UpdatePool(update(made, "cidr", "block_size")).pool == after
    made.cidr = "fd00::1/64"
    assert refusals.of(pools.UpdatePool, update(made)).fields == ["pool.cidr"]


def test_an_update_is_checked_together_with_what_stays(pools: pool_requests.Stub) -> None:
    made = create(pools, "a", "10.0.0.0/24")
    given = Pool(name=name("a"), namespace_selector="has(a)", gateway="10.1.0.1")
    refusal = refusals.of(pools.UpdatePool, update(given, "namespace_selector", "gateway"))
    assert refusal.told() == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", {})
    assert refusal.fields == ["pool.gateway", "pool.namespace_selector"]
    after = pools.UpdatePool(update(given, "namespace_selector", "allowed_uses")).pool
    assert after.etag != made.etag


def test_uses_that_were_filled_in_stay_when_a_namespace_selector_comes(
    pools: pool_requests.Stub,
) -> None:
    create(pools, "a", "10.0.0.0/24")
    given = Pool(name=name("a"), namespace_selector="has(a)")
    refusal = refusals.of(pools.UpdatePool, update(given, "namespace_selector"))
    assert refusal.fields == ["pool.namespace_selector"]
    assert "give allowed_uses without TUNNEL" in refusal.violations[0][1]
    # A mask that names them asks for the default, which follows the selector.
    after = pools.UpdatePool(update(given, "namespace_selector", "allowed_uses")).pool
    assert after.allowed_uses == [resources_pb2.USE_WORKLOAD]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([resources_pb2.USE_LOAD_BALANCER], [resources_pb2.USE_WORKLOAD]),
        ([resources_pb2.USE_LOAD_BALANCER], [resources_pb2.USE_TUNNEL]),
        ([resources_pb2.USE_LOAD_BALANCER], []),
    ],
)
def test_a_pool_of_load_balancers_serves_nothing_else_later(
    pools: pool_requests.Stub, before: list[int], after: list[int]
) -> None:
    create(pools, "a", "10.0.0.0/24", allowed_uses=before)
    given = Pool(name=name("a"), allowed_uses=after)  # type: ignore[arg-type]  # numbers of uses
    refusal = refusals.of(pools.UpdatePool, update(given, "allowed_uses"))
    assert refusal.told() == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", {})
    assert refusal.fields == ["pool.allowed_uses"]
    pools.UpdatePool(update(Pool(name=name("a"), disabled=True), "disabled"))


def test_a_pool_of_workloads_may_become_one_of_load_balancers(pools: pool_requests.Stub) -> None:
    create(pools, "a", "10.0.0.0/24")
    uses = [resources_pb2.USE_LOAD_BALANCER]
    given = Pool(name=name("a"), allowed_uses=uses)
    assert pools.UpdatePool(update(given, "allowed_uses")).pool.allowed_uses == uses


@pytest.mark.parametrize("disabled", [True, False])
def test_a_pool_smaller_than_a_default_block_is_one_block(
    pools: pool_requests.Stub, disabled: bool
) -> None:
    assert create(pools, "a", "10.0.0.0/30", disabled=disabled).block_size == 30


def test_an_update_that_changes_nothing_leaves_no_trace(
    pools: pool_requests.Stub, server: serving.Serving
) -> None:
    made = create(pools, "a", "10.0.0.0/24", node_selector="has(a)", excluded_ranges=["10.0.0.9"])
    version = server.database.scalar(VERSION)
    given = Pool()
    given.CopyFrom(made)
    given.node_selector, given.excluded_ranges[0] = "(has(a))", "10.0.0.9/32"
    assert pools.UpdatePool(update(given)).pool == made
    assert server.database.scalar(VERSION) == version


def test_every_change_outdates_the_catalog_once(
    pools: pool_requests.Stub, server: serving.Serving
) -> None:
    seen = [server.database.scalar(VERSION)]
    create(pools, "a", "10.0.0.0/24")
    seen.append(server.database.scalar(VERSION))
    pools.UpdatePool(update(Pool(name=name("a"), disabled=True)))
    seen.append(server.database.scalar(VERSION))
    refusals.of(pools.CreatePool, creation("b", Pool(cidr="10.0.0.0/24")))
    pools.DeletePool(messages.DeletePoolRequest(name=name("a")))
    seen.append(server.database.scalar(VERSION))
    assert len(set(seen)) == 4


def test_an_old_etag_is_refused(pools: pool_requests.Stub) -> None:
    old = create(pools, "a", "10.0.0.0/24").etag
    new = pools.UpdatePool(update(Pool(name=name("a"), disabled=True, etag=old))).pool.etag
    told = (grpc.StatusCode.ABORTED, "ETAG_MISMATCH", {"resource": name("a")})
    stale = update(Pool(name=name("a"), cidr="10.1.0.0/24", etag=old))
    assert refusals.of(pools.UpdatePool, stale).told() == told
    delete = messages.DeletePoolRequest(name=name("a"), etag=old)
    assert refusals.of(pools.DeletePool, delete).told() == told
    pools.DeletePool(messages.DeletePoolRequest(name=name("a"), etag=new))
    create(pools, "a", "10.0.0.0/24")
    assert refusals.of(pools.DeletePool, delete).told() == told
