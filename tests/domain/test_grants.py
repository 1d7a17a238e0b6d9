"""Which namespaces are given what, decided without a database."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.world import World, any_ipv4, fixed, pool
from moorage_server.domain import addresses, errors, model, resources
from moorage_server.domain.succession import Sibling

TUNNEL = model.Use.TUNNEL
SHOP, BANK = frozenset({"shop"}), frozenset({"bank"})
GRANTED, NONE = resources.FixedAddresses.GRANTED, resources.FixedAddresses.NONE
TENANT = model.Bounds(tenant="shop", namespaces=SHOP)
KEY = model.AttachmentKey(vrf="default", network="n", container_id="c", interface="eth0")


def refused(world: World, want: model.AddressRequest, namespace: str) -> dict[str, str]:
    with pytest.raises(errors.NamespaceNotGranted) as raised:
        world.assign(want, namespace=namespace)
    return dict(raised.value.metadata)


def test_nobody_is_restricted_unless_somebody_says_so() -> None:
    world = World(pool("a", "10.0.0.0/24"))
    for want in (any_ipv4(), any_ipv4("a"), fixed("10.0.0.9")):
        assert world.assign(want, namespace="anybody")
    assert world.assign(any_ipv4())


def test_a_list_of_a_pool_is_of_those_who_may_use_it_however_they_ask() -> None:
    world = World(pool("a", "10.0.0.0/24", allowed_namespaces=SHOP), pool("b", "10.0.1.0/24"))
    assert world.assign(any_ipv4(), namespace="shop") == ["10.0.0.0"]
    assert world.assign(any_ipv4(), namespace="bank") == ["10.0.1.0"]
    assert world.assign(any_ipv4()) == ["10.0.1.1"]
    assert world.assign(any_ipv4("a"), namespace="shop")
    assert world.assign(fixed("10.0.0.9"), namespace="shop")
    where = {"vrf": "default", "namespace": "bank"}
    assert refused(world, any_ipv4("a"), "bank") == where | {"pool": "a", "address": ""}
    assert refused(world, any_ipv4("b", "10.0.0.0/24"), "bank")["pool"] == "10.0.0.0/24"
    assert refused(world, fixed("10.0.0.8"), "bank") == where | {"pool": "", "address": "10.0.0.8"}
    # One that may not be had is told of, though another would be free.
    assert refused(world, fixed("10.0.1.9", "10.0.0.8"), "bank")["address"] == "10.0.0.8"


def test_where_every_pool_is_others_the_refusal_says_so_of_each() -> None:
    world = World(pool("a", "10.0.0.0/24", allowed_namespaces=SHOP))
    with pytest.raises(errors.NoEligiblePool, match='do not list namespace "bank"'):
        world.assign(any_ipv4(), namespace="bank")


def test_strictly_a_pool_without_a_list_is_nobodys() -> None:
    world = World(
        pool("a", "10.0.0.0/24"),
        pool("b", "10.0.1.0/24", allowed_namespaces=SHOP),
        strict=True,
    )
    assert world.assign(any_ipv4(), namespace="shop") == ["10.0.1.0"]
    assert refused(world, any_ipv4("a"), "shop")["pool"] == "a"
    assert refused(world, any_ipv4("b"), "")["namespace"] == ""
    with pytest.raises(errors.NoEligiblePool):
        world.assign(any_ipv4(), namespace="bank")


def test_strictly_a_fixed_address_is_granted_or_refused() -> None:
    world = World(
        pool("b", "10.0.1.0/24", allowed_namespaces=SHOP),
        strict=True,
        fixed={"shop": ["10.0.1.8/30"], "bank": ["10.0.1.16", "fd00::/64"]},
    )
    assert world.assign(fixed("10.0.1.9"), namespace="shop") == ["10.0.1.9"]
    assert refused(world, fixed("10.0.1.12"), "shop")["address"] == "10.0.1.12"
    # A grant is of the address, whosever the pool is otherwise.
    assert world.assign(fixed("10.0.1.16"), namespace="bank") == ["10.0.1.16"]
    assert refused(world, fixed("10.0.1.9"), "bank")["address"] == "10.0.1.9"
    assert refused(world, any_ipv4("b"), "bank")["pool"] == "b"


def test_a_pool_says_who_may_ask_for_its_addresses() -> None:
    world = World(
        pool("a", "10.0.0.0/24", fixed_addresses=GRANTED),
        pool("b", "10.0.1.0/24", fixed_addresses=NONE),
        fixed={"shop": ["10.0.0.7", "10.0.1.7"]},
    )
    assert world.assign(fixed("10.0.0.7"), namespace="shop") == ["10.0.0.7"]
    assert refused(world, fixed("10.0.0.8"), "shop")["address"] == "10.0.0.8"
    assert refused(world, fixed("10.0.0.8"), "bank")["address"] == "10.0.0.8"
    assert refused(world, fixed("10.0.1.7"), "shop")["address"] == "10.0.1.7"
    for namespace in ("shop", "bank"):
        assert world.assign(any_ipv4("b"), namespace=namespace)


def test_tunnels_are_of_no_namespace() -> None:
    world = World(
        pool("a", "10.0.0.0/24", fixed_addresses=GRANTED, allowed_uses=frozenset({TUNNEL})),
        strict=True,
    )
    for want in (any_ipv4(), any_ipv4("a"), fixed("10.0.0.9")):
        assert world.assign(want, use=TUNNEL)
        with pytest.raises(errors.IpamError):
            world.assign(want, use=TUNNEL, namespace="bank")


@pytest.mark.parametrize("strict", [False, True])
def test_nothing_of_a_namespaces_is_a_tunnels(strict: bool) -> None:
    world = World(
        pool("a", "10.0.0.0/24", allowed_namespaces=SHOP, fixed_addresses=GRANTED),
        strict=strict,
        fixed={"shop": ["10.0.0.7"]},
    )
    for want in (any_ipv4(), any_ipv4("a"), fixed("10.0.0.7"), fixed("10.0.0.9")):
        with pytest.raises(errors.IpamError):
            world.assign(want, use=TUNNEL)


def test_of_an_open_pool_a_tunnel_has_what_anybody_has() -> None:
    world = World(pool("a", "10.0.0.0/24"))
    assert world.assign(any_ipv4(), use=TUNNEL)
    assert world.assign(fixed("10.0.0.9"), use=TUNNEL) == ["10.0.0.9"]


def test_a_grant_is_asked_for_before_anything_is_told_of_a_pool() -> None:
    world = World(pool("a", "fd00::/120", allowed_namespaces=SHOP, disabled=True))
    refused(world, any_ipv4("a"), "bank")
    with pytest.raises(errors.PoolFamilyMismatch):
        world.assign(any_ipv4("a"), namespace="shop")


def test_to_a_tenant_what_is_others_is_as_what_is_not_there() -> None:
    world = World(
        pool("theirs", "10.0.0.0/24", allowed_namespaces=BANK),
        pool("b", "10.0.1.0/32", allowed_namespaces=SHOP),
        pool("c", "10.0.2.0/24", allowed_namespaces=SHOP, disabled=True),
        fixed={"bank": ["10.0.1.0"]},
    )

    def told(want: model.AddressRequest) -> tuple[str, str]:
        with pytest.raises(errors.IpamError) as raised:
            world.assign(want, namespace="shop", bounds=TENANT)
        return raised.value.reason, raised.value.message

    pairs = [
        (any_ipv4("theirs"), any_ipv4("nowhere")),
        (any_ipv4("10.0.0.0/24"), any_ipv4("10.9.0.0/24")),
        (fixed("10.0.0.1"), fixed("10.9.0.1")),
    ]
    for there, absent in pairs:
        reason, message = told(there)
        assert reason == "NAMESPACE_NOT_GRANTED"
        assert told(absent) == (reason, message.replace(_name(there), _name(absent)))
    assert world.assign(any_ipv4(), namespace="shop", bounds=TENANT) == ["10.0.1.0"]
    reason, message = told(any_ipv4())
    assert reason == "POOL_EXHAUSTED"
    assert '"c": it is disabled' in message
    assert "theirs" not in message


def _name(want: model.AddressRequest) -> str:
    return want.pools[0] if want.pools else str(want.candidates[0])


def test_a_new_sandbox_takes_over_only_what_its_namespace_may_still_have() -> None:
    old = dataclasses.replace(KEY, container_id="old")
    facts = model.Facts(workload=model.Workload(namespace="shop", pod="p", pod_uid="u"))
    request = model.AssignRequest(attachment=KEY, addresses=(any_ipv4(),), facts=facts)
    for allowed, expected in ((SHOP, "10.0.0.0"), (BANK, "10.0.1.0")):
        pools = (pool("a", "10.0.0.0/24"), pool("b", "10.0.1.0/24"))
        before = World(*pools)
        (held,) = before.assign(any_ipv4(), namespace="shop")
        allocation = dataclasses.replace(
            before.held[addresses.parse_address(held)], attachment=old, facts=facts
        )
        world = World(dataclasses.replace(pools[0], allowed_namespaces=allowed), pools[1])
        world.blocks, world.frontiers = before.blocks, before.frontiers
        siblings = (Sibling(attachment=old, stamp=None, allocations=(allocation,)),)
        assert world.succeed(request, siblings) == [expected]


NAMES = st.sampled_from(["", "shop", "bank"])
Fields = dict[str, Any]
POOLS: st.SearchStrategy[list[Fields]] = st.lists(
    st.builds(
        dict,
        allowed_namespaces=st.frozensets(st.sampled_from(["shop", "bank"])),
        fixed_addresses=st.sampled_from(resources.FixedAddresses),
    ),
    min_size=1,
    max_size=3,
)
CIDRS = st.lists(st.sampled_from(["10.0.0.0/30", "10.0.1.1", "10.0.2.0/24"]), min_size=1)
OWNED = ["10.0.0.2", "10.0.1.2"]
WANTS = st.sampled_from(
    [any_ipv4(), any_ipv4("p0"), any_ipv4("p1"), *map(fixed, ["10.0.0.1", "10.0.1.1", "10.0.0.5"])]
)


@settings(max_examples=300, deadline=None)
@given(
    fields=POOLS,
    strict=st.booleans(),
    granted=st.dictionaries(st.sampled_from(["shop", "bank"]), CIDRS),
    asked=st.lists(st.tuples(NAMES, WANTS, st.booleans()), max_size=12),
)
def test_whatever_produced_an_address_its_namespace_may_have_it(
    fields: list[Fields],
    strict: bool,
    granted: dict[str, list[str]],
    asked: list[tuple[str, model.AddressRequest, bool]],
) -> None:
    pools = [
        pool(f"p{at}", f"10.0.{at}.0/28", block_size=28, cooldown=60, **each)
        for at, each in enumerate(fields)
    ]
    world = World(
        *pools,
        owned=dict.fromkeys(OWNED, "owner"),
        strict=strict,
        fixed=granted,
    )
    for namespace, want, has_owner in asked:
        try:
            (given_out,) = world.assign(
                want, namespace=namespace, owner="owner" * has_owner, sticky=60 * has_owner
            )
        except errors.IpamError:
            continue
        found = addresses.parse_address(given_out)
        of = next(each for each in pools if found in each.cidr)
        listed = namespace in of.allowed_namespaces or not (of.allowed_namespaces or strict)
        networks = map(addresses.parse_network_or_address, granted.get(namespace, ()))
        has_grant = any(found in each for each in networks)
        if want.candidates:
            by_mode = {NONE: False, GRANTED: has_grant}
            anybody = has_grant or (listed and not strict)
            assert by_mode.get(of.fixed_addresses, anybody)
        else:
            assert listed
        world.release(given_out)
