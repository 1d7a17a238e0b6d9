"""A tenant acts for its namespaces alone, in its VRFs, and learns nothing of what others hold."""

import contextlib
import pathlib
from collections.abc import Callable, Iterator

import pytest

import moorage
from harness import calls
from moorage.v1 import allocation_service_pb2, filter_pb2, resources_pb2
from moorage_server.api import lists
from moorage_server.domain.callers import Role, Standing

Connect = Callable[..., moorage.Client]
Workload = resources_pb2.Workload
NOT_YOURS = "NOT_YOURS"


@pytest.fixture
def operator(calling: Connect) -> moorage.Client:
    """Has made pools, and given addresses to container "theirs" of namespace "bank"."""
    client = calling("op", common_name="op")
    calls.create_pool(client, "p", "10.0.0.0/24")
    calls.create_pool(client, "ours", "10.0.1.0/24", allowed_namespaces=["shop", "bank"])
    calls.create_pool(client, "banks", "10.0.2.0/24", allowed_namespaces=["bank"])
    client.create_vrf("blue")
    calls.assign(client, "theirs", namespace="bank")
    return client


@pytest.fixture
def shop(calling: Connect, operator: moorage.Client) -> Iterator[moorage.Client]:
    """The tenant's client; what is others' is as it was in the end."""
    yield calling("shop", common_name="shop")
    of_bank = filter_pb2.AllocationFilter(workload=Workload(namespace="bank"))
    assert [each.attachment.container_id for each in operator.allocations(of_bank)] == ["theirs"]


def told(call: Callable[[], object]) -> tuple[str, str, dict[str, str], str]:
    with pytest.raises(moorage.MoorageError) as raised:
        call()
    error = raised.value
    return error.code.name, error.reason, dict(error.metadata), error.message


def test_it_assigns_for_its_own_namespaces_alone(shop: moorage.Client) -> None:
    refusals = [
        told(lambda: calls.assign(shop, "mine", namespace="bank")),
        told(lambda: calls.assign(shop, "mine", namespace="nobody")),
        told(lambda: calls.assign(shop, "mine", namespace="")),
        told(lambda: calls.assign(shop, "theirs")),
        told(lambda: shop.assign(calls.attachment("mine"), [calls.want()], vrf="blue")),
        told(lambda: shop.assign(calls.attachment("mine"), [calls.want()], vrf="nowhere")),
    ]
    assert {each[1] for each in refusals} == {NOT_YOURS}
    assert refusals[0][2] == {"node": "", "tenant": "shop"}
    assert len({str(each) for each in refusals}) == 1  # word for word
    (held,) = calls.assign(shop, "mine")
    assert calls.assign(shop, "mine") == [held]
    assert calls.release(shop, "mine") == [held.address]


def test_it_has_no_owner_key_but_of_its_namespace(
    shop: moorage.Client, operator: moorage.Client
) -> None:
    operator.create_reservation(
        "kept", resources_pb2.Reservation(cidrs=["10.0.0.9"], owner_key="bank/db-0")
    )

    def assign(owner_key: str) -> list[resources_pb2.Allocation]:
        return shop.assign(
            calls.attachment("mine"),
            [calls.want()],
            workload=Workload(namespace="shop"),
            owner_key=owner_key,
        )

    for owner_key in ("bank/db-0", "db-0", "shop", "shopper/0"):
        assert told(lambda key=owner_key: assign(key))[1] == NOT_YOURS  # type: ignore[misc]
    assert assign("shop/db-0")


def test_it_takes_over_no_sandbox_of_others(shop: moorage.Client, operator: moorage.Client) -> None:
    def sandbox(
        client: moorage.Client, container: str, namespace: str
    ) -> list[resources_pb2.Allocation]:
        pod = Workload(node="n1", namespace=namespace, pod="p", pod_uid="known")
        return client.assign(calls.attachment(container), [calls.want()], workload=pod)

    (theirs,) = sandbox(operator, "old", "bank")
    (mine,) = sandbox(shop, "new", "shop")
    assert mine.address != theirs.address
    assert operator.get_allocation(theirs.address) == theirs
    operator.release(calls.attachment("old"))


def test_a_node_that_it_names_has_nothing_of_it(shop: moorage.Client) -> None:
    (mine,) = calls.assign(shop, "mine", node="n1")
    assert mine.workload.node == ""


def test_it_releases_nothing_of_others(shop: moorage.Client) -> None:
    assert calls.release(shop, "theirs", stamp=5) == calls.release(shop, "absent", stamp=5) == []
    refusals = {
        told(lambda vrf=vrf: shop.release(calls.attachment("theirs"), vrf=vrf))[1]  # type: ignore[misc]
        for vrf in ("blue", "nowhere")
    }
    assert refusals == {NOT_YOURS}


def test_it_sees_its_own_alone(shop: moorage.Client, operator: moorage.Client) -> None:
    (mine,) = calls.assign(shop, "mine")
    assert [each.address for each in shop.allocations()] == [mine.address]
    by_key = filter_pb2.AllocationFilter(attachment=calls.attachment("theirs"))
    assert list(shop.allocations(by_key)) == []
    for name in ("bank", "nobody"):
        asked = filter_pb2.AllocationFilter(workload=Workload(namespace=name))
        assert told(lambda asked=asked: list(shop.allocations(asked)))[1] == NOT_YOURS  # type: ignore[misc]
    (theirs,) = operator.allocations(by_key)
    assert shop.get_allocation(mine.address) == mine
    assert told(lambda: shop.get_allocation(theirs.address)) == told(
        lambda: shop.get_allocation("10.0.0.200")
    )
    history = list(shop.history())
    assert [each.allocation.address for each in history] == [mine.address]


def test_it_watches_its_own_alone(shop: moorage.Client, operator: moorage.Client) -> None:
    with shop.watch(timeout=30) as updates:
        first = next(updates)
        assert first.held == ()
        calls.assign(operator, "more", namespace="bank")
        (mine,) = calls.assign(shop, "mine")
        told = next(each for each in updates if each.events)
    assert [each.allocation.address for each in told.events] == [mine.address]
    calls.release(operator, "more")


def test_it_has_five_watches_and_others_have_theirs(
    shop: moorage.Client, operator: moorage.Client
) -> None:
    with contextlib.ExitStack() as until:
        watches = [until.enter_context(shop.watch(timeout=30)) for _ in range(5)]
        for each in (*watches, until.enter_context(operator.watch(timeout=30))):
            next(each)
        with shop.watch(timeout=1) as sixth:
            assert told(lambda: next(sixth))[1] == "SERVER_BUSY"
        watches[0].close()
        next(until.enter_context(shop.watch(timeout=30)))


def test_a_watch_ends_when_its_namespace_is_taken_away(
    shop: moorage.Client, operator: moorage.Client, settings: dict[str, str]
) -> None:
    with shop.watch(timeout=30) as updates:
        next(updates)
        roles = pathlib.Path(settings["roles"])
        roles.write_text('operator = ["op"]\n[tenant.shop]\nnamespaces = ["other"]\n')
        calls.assign(operator, "late")
        assert told(lambda: next(updates))[1] == NOT_YOURS


def test_a_tenant_of_several_namespaces_asks_for_one(calling: Connect) -> None:
    operator, chain = calling("op", common_name="op"), calling("chain", common_name="chain")
    calls.create_pool(operator, "p", "10.0.0.0/24")
    for namespace in ("east", "west"):
        calls.assign(chain, namespace, namespace=namespace)
    asked = filter_pb2.AllocationFilter(workload=Workload(namespace="east"))
    assert [each.attachment.container_id for each in chain.allocations(asked)] == ["east"]
    assert told(lambda: list(chain.allocations()))[1] == "INVALID_REQUEST"
    by_pool = filter_pb2.AllocationFilter(workload=Workload(namespace="east"), pools=["p"])
    assert told(lambda: list(chain.allocations(by_pool)))[1] == "INVALID_REQUEST"
    operator.create_vrf("blue")
    assert list(chain.allocations(asked, vrf="blue")) == []


def test_pools_are_those_that_its_namespaces_may_use(
    shop: moorage.Client, operator: moorage.Client
) -> None:
    assert [each.name for each in shop.pools()] == [
        "vrfs/default/pools/ours",
        "vrfs/default/pools/p",
    ]
    assert [each.name for each in shop.pools(page_size=1)] == [each.name for each in shop.pools()]
    assert list(shop.get_pool("ours").allowed_namespaces) == ["shop"]
    assert shop.get_pool_usage("ours").counts.capacity_count == 256
    for ask in (shop.get_pool, shop.get_pool_usage):
        theirs, absent = told(lambda ask=ask: ask("banks")), told(lambda ask=ask: ask("none"))  # type: ignore[misc]
        assert (theirs[0], theirs[1]) == ("NOT_FOUND", "POOL_NOT_FOUND")
        assert theirs[3].replace("banks", "none") == absent[3]
    for vrf in ("blue", "nowhere"):
        assert told(lambda vrf=vrf: list(shop.pools(vrf=vrf)))[1] == NOT_YOURS  # type: ignore[misc]
    strict = resources_pb2.Vrf(name="vrfs/default", strict_namespaces=True)
    operator.update_vrf(strict, update_mask=["strict_namespaces"])
    assert [each.name for each in shop.pools()] == ["vrfs/default/pools/ours"]


@pytest.mark.parametrize(
    "want",
    [
        calls.want(pools=("banks",)),
        calls.want(pools=("absent",)),
        calls.fixed("10.0.2.3"),
        calls.fixed("10.9.9.9"),
    ],
)
def test_it_cannot_tell_others_pools_from_none(
    shop: moorage.Client, want: allocation_service_pb2.AddressRequest
) -> None:
    refusal = told(lambda: calls.assign(shop, "c", want))
    assert refusal[:2] == ("PERMISSION_DENIED", "NAMESPACE_NOT_GRANTED")


def test_what_it_says_of_the_feed_shuts_nobody_out(
    shop: moorage.Client, operator: moorage.Client
) -> None:
    with operator.watch(timeout=30) as updates:
        cursor = next(updates).cursor
    cursor.revision += 1_000_000
    far = resources_pb2.FeedPosition(epoch=cursor.epoch, revision=cursor.revision)
    shop._seen.note("vrfs/default", far)
    assert calls.assign(shop, "mine")
    assert calls.release(shop, "mine")
    with shop.watch(cursor=cursor, timeout=30) as ahead:
        assert told(lambda: next(ahead))[1] == "CURSOR_UNKNOWN"
    assert not operator.get_vrf("default").quarantines
    assert calls.assign(operator, "more")


def test_what_an_operator_takes_back_is_gone_with_the_next_call(
    shop: moorage.Client, settings: dict[str, str]
) -> None:
    calls.assign(shop, "mine")
    roles = pathlib.Path(settings["roles"])
    roles.write_text('operator = ["op"]\n[tenant.shop]\nnamespaces = ["other"]\n')
    assert told(lambda: calls.assign(shop, "more"))[1] == NOT_YOURS
    assert list(shop.allocations()) == []
    roles.write_text('operator = ["op"]\n[tenant.shop]\nnamespaces = ["shop"]\n')
    assert calls.release(shop, "mine")


def test_the_list_of_tenants() -> None:
    text = b"""
    reader = ["eye"]
    [tenant.shop]
    namespaces = ["shop", "shop-test"]
    [tenant."spiffe://example.org/chain"]
    namespaces = ["east"]
    vrfs = ["blue"]
    """
    of = {"role": Role.TENANT}
    assert lists.roles(text) == {
        "eye": Standing(role=Role.READER),
        "shop": Standing(
            **of, namespaces=frozenset({"shop", "shop-test"}), vrfs=frozenset({"default"})
        ),
        "spiffe://example.org/chain": Standing(
            **of, namespaces=frozenset({"east"}), vrfs=frozenset({"blue"})
        ),
    }


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('tenant = ["shop"]', "says nothing of namespaces"),
        ("[tenant.shop]", "is to have namespaces"),
        ('[tenant.shop]\nvrfs = ["a"]', "is to have namespaces"),
        ('[tenant.shop]\nnamespaces = ["a"]\npools = ["b"]', "is to have namespaces"),
        ("[tenant.shop]\nnamespaces = []", "has nothing"),
        ('[tenant.shop]\nnamespaces = "a"', "is not a list of names"),
        ('[tenant.shop]\nnamespaces = ["a"]\nvrfs = []', "has nothing"),
        ('[tenant]\nshop = ["a"]', "is to have namespaces"),
        ('reader = ["shop"]\n[tenant.shop]\nnamespaces = ["a"]', "is reader and tenant"),
    ],
)
def test_a_list_of_tenants_that_cannot_be_meant_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        lists.roles(text.encode())
