"""Grants of namespaces through a real channel: written, read, withdrawn, explained."""

import grpc
import pytest

import moorage
from api import refusals
from harness import calls, postgres
from moorage.v1 import admin_service_pb2, allocation_service_pb2, resources_pb2, vrf_service_pb2
from moorage.v1.vrf_service_pb2_grpc import VrfServiceStub

Grant = resources_pb2.FixedAddressGrant
Vrf = resources_pb2.Vrf
VRF = "vrfs/default"
VERSION = "SELECT catalog_version FROM vrfs WHERE name = 'default'"


def grant(client: moorage.Client, *grants: Grant) -> Vrf:
    vrf = Vrf(name=VRF, fixed_address_grants=grants)
    return client.update_vrf(vrf, update_mask=["fixed_address_grants"])


def strictly(client: moorage.Client, strict: bool = True) -> None:
    vrf = Vrf(name=VRF, strict_namespaces=strict)
    client.update_vrf(vrf, update_mask=["strict_namespaces"])


def allow(client: moorage.Client, pool: str, *namespaces: str) -> None:
    changed = resources_pb2.Pool(name=f"{VRF}/pools/{pool}", allowed_namespaces=namespaces)
    client.update_pool(changed, update_mask=["allowed_namespaces"])


def refused(
    client: moorage.Client, *wants: allocation_service_pb2.AddressRequest
) -> dict[str, str]:
    with pytest.raises(moorage.Denied) as raised:
        calls.assign(client, "new", *wants)
    assert raised.value.reason == "NAMESPACE_NOT_GRANTED"
    return dict(raised.value.metadata)


def test_what_is_granted_is_returned_in_one_order_and_spelling(client: moorage.Client) -> None:
    calls.create_pool(
        client,
        "p",
        "10.0.0.0/24",
        allowed_namespaces=["web", "shop", "web"],
        fixed_addresses=resources_pb2.FIXED_ADDRESSES_GRANTED,
    )
    pool = client.get_pool("p")
    assert list(pool.allowed_namespaces) == ["shop", "web"]
    assert pool.fixed_addresses == resources_pb2.FIXED_ADDRESSES_GRANTED
    stored = grant(
        client,
        Grant(namespace="web", cidrs=["FD00::0/64", "10.0.0.7"]),
        Grant(namespace="shop", cidrs=["10.0.0.8/30"]),
    )
    assert list(stored.fixed_address_grants) == [
        Grant(namespace="shop", cidrs=["10.0.0.8/30"]),
        Grant(namespace="web", cidrs=["fd00::/64", "10.0.0.7/32"]),
    ]
    assert client.get_vrf("default") == stored
    assert list(client.vrfs()) == [stored]


def test_a_pool_and_a_vrf_restrict_nobody_unless_told_to(client: moorage.Client) -> None:
    calls.create_pool(client, "p", "10.0.0.0/24")
    pool, vrf = client.get_pool("p"), client.get_vrf("default")
    assert pool.fixed_addresses == resources_pb2.FIXED_ADDRESSES_ANY
    assert not pool.allowed_namespaces
    assert not vrf.fixed_address_grants
    assert not vrf.strict_namespaces


def test_a_mask_decides_what_an_update_replaces(
    client: moorage.Client, database: postgres.Database
) -> None:
    calls.create_pool(client, "p", "10.0.0.0/24", allowed_namespaces=["shop"])
    grant(client, Grant(namespace="shop", cidrs=["10.0.0.7"]))
    before = database.scalar(VERSION)
    client.update_vrf(Vrf(name=VRF, description="x"), update_mask=["description"])
    client.update_pool(
        resources_pb2.Pool(name=f"{VRF}/pools/p", priority=3), update_mask=["priority"]
    )
    assert client.get_vrf("default").fixed_address_grants
    assert client.get_pool("p").allowed_namespaces
    between = database.scalar(VERSION)
    assert before != between
    grant(client)
    assert (ungranted := database.scalar(VERSION)) != between
    allow(client, "p")
    assert database.scalar(VERSION) != ungranted
    assert not client.get_vrf("default").fixed_address_grants
    assert not client.get_pool("p").allowed_namespaces


def test_grants_that_cannot_be_are_refused(channel: grpc.Channel) -> None:
    vrf = Vrf(
        fixed_address_grants=[
            Grant(),
            Grant(namespace="shop", cidrs=["10.0.0.1/24"]),
            Grant(namespace="shop", cidrs=["10.0.0.1"] * 17),
        ]
    )
    request = vrf_service_pb2.CreateVrfRequest(vrf_id="blue", vrf=vrf)
    refusal = refusals.of(VrfServiceStub(channel).CreateVrf, request)
    field = "vrf.fixed_address_grants"
    assert refusal.violations == (
        (f"{field}[0].namespace", "is required"),
        (f"{field}[0].cidrs", "is required; give at least one CIDR or address"),
        (
            f"{field}[1].cidrs[0]",
            '"10.0.0.1/24": host bits are set; did you mean 10.0.0.0/24?',
        ),
        (f"{field}[2].namespace", '"shop" has a grant already; make it one'),
        (f"{field}[2].cidrs", "has 17 entries; at most 16 are allowed"),
    )
    many = [Grant(namespace=str(at), cidrs=["10.0.0.1"]) for at in range(257)]
    request = vrf_service_pb2.CreateVrfRequest(vrf_id="blue", vrf=Vrf(fixed_address_grants=many))
    refusal = refusals.of(VrfServiceStub(channel).CreateVrf, request)
    assert refusal.violations == ((field, "has 257 entries; at most 256 are allowed"),)


def test_as_much_as_may_be_granted_is_stored_and_listed(client: moorage.Client) -> None:
    grants = [
        Grant(namespace=f"{at:0253}", cidrs=[f"fd00::{at:x}:{each:x}/128" for each in range(16)])
        for at in range(256)
    ]
    assert list(grant(client, *grants).fixed_address_grants)[255] == grants[255]
    calls.create_pool(
        client, "p", "fd00::/64", allowed_namespaces=[f"{at:0253}" for at in range(256)]
    )
    for name in ("blue", "red"):
        client.create_vrf(name, Vrf(fixed_address_grants=grants))
    assert [len(each.fixed_address_grants) for each in client.vrfs()] == [256] * 3
    (held,) = client.assign(
        calls.attachment(),
        [calls.fixed("fd00::ff:3")],
        workload=resources_pb2.Workload(namespace=grants[255].namespace),
    )
    assert held.address == "fd00::ff:3"


def test_a_grant_counts_from_the_next_assign_on_and_what_is_held_stays(
    client: moorage.Client,
) -> None:
    calls.create_pool(client, "a", "10.0.0.0/24")
    calls.create_pool(client, "b", "10.0.1.0/24")
    held = calls.assign(client, "c1", calls.want(pools=("a",)))
    fixed = calls.assign(client, "c2", calls.fixed("10.0.0.9"))
    allow(client, "a", "bank")
    where = {"vrf": "default", "namespace": "shop"}
    assert refused(client, calls.want(pools=("a",))) == where | {"pool": "a", "address": ""}
    assert refused(client, calls.fixed("10.0.0.8")) == where | {"pool": "", "address": "10.0.0.8"}
    assert calls.assign(client, "c3")[0].address == "10.0.1.0"
    assert calls.assign(client, "c1", calls.want(pools=("a",))) == held
    assert calls.assign(client, "c2", calls.fixed("10.0.0.9")) == fixed
    # What was released is new again.
    calls.release(client, "c2")
    assert refused(client, calls.fixed("10.0.0.9"))["address"] == "10.0.0.9"
    allow(client, "a", "bank", "shop")
    assert calls.assign(client, "new", calls.fixed("10.0.0.9"))


def test_a_pod_that_comes_back_takes_over_nothing_that_was_withdrawn(
    client: moorage.Client,
) -> None:
    calls.create_pool(client, "a", "10.0.0.0/24")
    calls.create_pool(client, "b", "10.0.1.0/24")
    pod = resources_pb2.Workload(node="n1", namespace="shop", pod="p", pod_uid="u")

    def sandbox(container: str) -> str:
        attachment = calls.attachment(container)
        return client.assign(attachment, [calls.want()], workload=pod)[0].address

    assert sandbox("first") == sandbox("second") == "10.0.0.0"
    allow(client, "a", "bank")
    assert sandbox("third") == "10.0.1.0"
    assert [each.address for each in client.allocations()] == ["10.0.1.0"]


def test_an_owner_is_given_back_nothing_that_was_withdrawn(client: moorage.Client) -> None:
    calls.create_pool(client, "a", "10.0.0.0/24")
    calls.create_pool(client, "b", "10.0.1.0/24")

    def sticky(container: str) -> str:
        return client.assign(
            calls.attachment(container),
            [calls.want()],
            workload=resources_pb2.Workload(namespace="shop"),
            owner_key="web-0",
            sticky=600,
        )[0].address

    assert sticky("first") == "10.0.0.0"
    calls.release(client, "first")
    allow(client, "a", "bank")
    assert sticky("second") == "10.0.1.0"


def test_strictness_is_one_switch_of_the_vrf(client: moorage.Client) -> None:
    calls.create_pool(client, "a", "10.0.0.0/24")
    calls.create_pool(client, "b", "10.0.1.0/24", allowed_namespaces=["shop"])
    strictly(client)
    assert calls.assign(client, "c1")[0].address == "10.0.1.0"
    assert refused(client, calls.want(pools=("a",)))["pool"] == "a"
    assert refused(client, calls.fixed("10.0.1.9"))["address"] == "10.0.1.9"
    grant(client, Grant(namespace="shop", cidrs=["10.0.1.9"]))
    assert calls.assign(client, "c2", calls.fixed("10.0.1.9"))
    strictly(client, strict=False)
    assert calls.assign(client, "c3", calls.want(pools=("a",)))


def test_adoption_takes_over_what_is_there_whoever_it_is_for(client: moorage.Client) -> None:
    client.create_pool("a", resources_pb2.Pool(cidr="10.0.0.0/24", allowed_namespaces=["bank"]))
    adopted = admin_service_pb2.AdoptedAddress(
        address="10.0.0.5",
        attachment=calls.attachment("old"),
        workload=resources_pb2.Workload(namespace="shop"),
    )
    client.adopt_block("10.0.0.0/26", [adopted])
    assert [each.workload.namespace for each in client.allocations()] == ["shop"]


def test_it_is_explained_by_which_rule_a_pool_is_passed_over(client: moorage.Client) -> None:
    calls.create_pool(client, "a", "10.0.0.0/24", allowed_namespaces=["bank"], disabled=True)
    calls.create_pool(
        client, "b", "10.0.1.0/24", fixed_addresses=resources_pb2.FIXED_ADDRESSES_NONE
    )
    shop = resources_pb2.Workload(namespace="shop")

    def verdicts(want: allocation_service_pb2.AddressRequest) -> dict[str, str]:
        explained = client.explain_assign(calls.attachment(), [want], workload=shop)
        (of_address,) = explained.addresses
        rules = allocation_service_pb2.PassedOver
        return {
            each.pool.rpartition("/")[2]: rules.Name(each.passed_over).removeprefix("PASSED_OVER_")
            for each in of_address.pools
        }

    assert verdicts(calls.want()) == {"b": "UNSPECIFIED", "a": "NAMESPACE"}
    assert verdicts(calls.want(pools=("a",))) == {"a": "NAMESPACE", "b": "NOT_NAMED"}
    assert verdicts(calls.fixed("10.0.1.3")) == {"a": "NOT_NAMED", "b": "FIXED_ADDRESS"}
    explained = client.explain_assign(calls.attachment(), [calls.fixed("10.0.1.3")], workload=shop)
    (_, of_b) = sorted(explained.addresses[0].pools, key=lambda each: each.pool)
    assert of_b.explanation == (
        'namespace "shop" may not ask for 10.0.1.3 by name, with fixed_addresses NONE'
    )
    assert "fixed_address_grants" in of_b.next_step
    assert explained.refusal.metadata["address"] == "10.0.1.3"
