"""A new sandbox of a pod takes over its addresses; what comes of the old one changes nothing."""

import pytest

import moorage
from harness import postgres
from harness.calls import IPV6, addresses_of, attachment, attempt, create_pool, fixed, release, want
from moorage.v1 import allocation_service_pb2 as requests
from moorage.v1 import error_reason_pb2 as reasons
from moorage.v1 import resources_pb2 as messages

SUPERSEDED = reasons.ERROR_REASON_ATTACHMENT_SUPERSEDED


def add(
    client: moorage.Client,
    container: str,
    *wants: requests.AddressRequest,
    stamp: int | None = None,
    uid: str = "uid-1",
    node: str = "n1",
    interface: str = "eth0",
    cluster: str = "",
) -> list[messages.Allocation]:
    """An ADD of a sandbox of the pod web-0."""
    return client.assign(
        attachment(container, interface=interface),
        wants or (want(),),
        workload=messages.Workload(
            node=node, namespace="shop", pod="web-0", pod_uid=uid, cluster=cluster
        ),
        attempt=attempt(stamp),
    )


def test_the_sandbox_of_another_clusters_pod_is_none_of_its(client: moorage.Client) -> None:
    # The uid of a static pod is made of its manifest, and the same wherever that is.
    create_pool(client, "a", "10.0.0.0/24")
    (east,) = add(client, "east", cluster="east", stamp=2)
    (west,) = add(client, "west", cluster="west", stamp=1)
    assert west.address != east.address
    assert {each.address for each in client.allocations()} == {east.address, west.address}


@pytest.mark.parametrize(("before", "after"), [("", "east"), ("east", "")])
def test_a_sandbox_that_says_of_no_cluster_may_be_the_pods(
    client: moorage.Client, before: str, after: str
) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    (old,) = add(client, "old", cluster=before)
    (new,) = add(client, "new", cluster=after)
    assert new.address == old.address
    assert list(client.allocations()) == [new]


def refused(
    client: moorage.Client, container: str, *wants: requests.AddressRequest, stamp: int
) -> str:
    """The reason that an ADD is refused for."""
    with pytest.raises(moorage.MoorageError) as refusal:
        add(client, container, *wants, stamp=stamp)
    return refusal.value.reason


def test_a_new_sandbox_gets_the_same_address_with_a_new_generation(
    client: moorage.Client, database: postgres.Database
) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    (old,) = add(client, "old")
    (new,) = add(client, "new")
    assert (new.address, new.attachment.container_id) == (old.address, "new")
    assert new.generation > old.generation
    assert list(client.allocations()) == [new]
    assert add(client, "new") == [new]
    told = database.rows(
        "SELECT kind, cause, container_id, assign_generation FROM events ORDER BY event_id"
    )
    assert [tuple(each) for each in told] == [
        ("ASSIGNED", "REQUESTED", "old", None),
        ("RELEASED", "SUPERSEDED", "old", old.generation),
        ("ASSIGNED", "REQUESTED", "new", None),
    ]


def test_what_comes_late_of_the_old_sandbox_changes_nothing(client: moorage.Client) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    (old,) = add(client, "old", stamp=10)
    new = add(client, "new", stamp=20)
    assert release(client, "old", stamp=30) == []
    assert release(client, "old", generations=(old.generation,)) == []
    assert refused(client, "old", stamp=10) == "ATTACHMENT_SUPERSEDED"
    assert list(client.allocations()) == new


def test_an_assign_of_an_older_sandbox_that_comes_late_is_refused(client: moorage.Client) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    new = add(client, "new", stamp=20)
    with pytest.raises(moorage.Conflict) as refusal:
        add(client, "old", stamp=10)
    assert refusal.value.reason == "ATTACHMENT_SUPERSEDED"
    assert refusal.value.metadata == {
        "vrf": "default",
        "network": "pods",
        "container_id": "old",
        "interface": "eth0",
    }
    assert list(client.allocations()) == new


def test_it_is_refused_also_when_the_newer_one_is_gone(client: moorage.Client) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    add(client, "new", stamp=20)
    assert release(client, "new", stamp=30) == ["10.0.0.0"]
    assert refused(client, "old", stamp=10) == "ATTACHMENT_SUPERSEDED"
    assert list(client.allocations()) == []


def test_when_the_old_one_was_released_does_not_make_it_the_newer_one(
    client: moorage.Client,
) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    add(client, "old", stamp=10)
    assert release(client, "old", stamp=30) == ["10.0.0.0"]
    assert addresses_of(add(client, "new", stamp=20)) == ["10.0.0.1"]


def test_a_repeated_assign_counts_from_its_newest_attempt(client: moorage.Client) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    held = add(client, "one", stamp=10)
    assert add(client, "one", stamp=30) == held
    assert refused(client, "two", stamp=20) == "ATTACHMENT_SUPERSEDED"
    assert addresses_of(add(client, "two", stamp=40)) == addresses_of(held)


@pytest.mark.parametrize(
    "other",
    [{"uid": "uid-2"}, {"node": "n2"}, {"interface": "eth1"}],
    ids=str,
)
def test_only_the_same_interface_of_the_same_pod_is_taken_over(
    client: moorage.Client, other: dict[str, str]
) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    (first,) = add(client, "one")
    (second,) = add(client, "two", **other)  # type: ignore[arg-type]  # checked by protobuf
    assert list(client.allocations()) == [first, second]


def test_of_pods_without_a_uid_none_is_another(client: moorage.Client) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    held = [*add(client, "one", uid=""), *add(client, "two", uid="")]
    assert list(client.allocations()) == held


@pytest.mark.parametrize("change", ["full", "disabled", "draining", "unselecting"])
def test_the_address_does_not_move_so_the_pool_is_not_asked(
    client: moorage.Client, change: str
) -> None:
    create_pool(client, "a", "10.0.0.0/32")
    (old,) = add(client, "old")
    if change == "draining":
        client.drain_pool("a")
    elif change != "full":
        pool = client.get_pool("a")
        pool.disabled = change == "disabled"
        pool.node_selector = "has(nothing)" if change == "unselecting" else ""
        client.update_pool(pool)
    (new,) = add(client, "new")
    assert (new.address, new.pool) == (old.address, old.pool)


def test_an_address_that_is_not_wanted_any_more_goes_back(client: moorage.Client) -> None:
    create_pool(client, "a", "10.0.0.0/24", priority=1)
    create_pool(client, "b", "10.0.1.0/24")
    create_pool(client, "c", "fd00::/64")
    add(client, "old", want(), want(IPV6))
    assert addresses_of(add(client, "new", want(pools=("b",)), want(IPV6))) == [
        "10.0.1.0",
        "fd00::1",
    ]
    assert len(list(client.allocations())) == 2
    assert addresses_of(add(client, "next", fixed("10.0.0.0"))) == ["10.0.0.0"]


def test_one_address_more_is_placed_anew_as_a_whole(
    client: moorage.Client, database: postgres.Database
) -> None:
    create_pool(client, "a", "10.0.0.0/31")
    add(client, "old")
    assert sorted(addresses_of(add(client, "new", want(), want()))) == ["10.0.0.0", "10.0.0.1"]
    causes = database.rows("SELECT cause FROM events WHERE kind = 'RELEASED'")
    assert [tuple(each) for each in causes] == [("SUPERSEDED",)]


def test_a_sandbox_that_cannot_have_what_it_wants_leaves_the_old_one_alone(
    client: moorage.Client,
) -> None:
    create_pool(client, "a", "10.0.0.0/31")
    held = add(client, "old", stamp=10)
    assert refused(client, "new", want(), want(), want(), stamp=20) == "POOL_EXHAUSTED"
    assert list(client.allocations()) == held
    assert release(client, "old", stamp=30) == addresses_of(held)


def test_explaining_tells_of_the_takeover_and_of_its_refusal(client: moorage.Client) -> None:
    create_pool(client, "a", "10.0.0.0/32")
    (old,) = add(client, "old", stamp=20)
    workload = messages.Workload(node="n1", namespace="shop", pod="web-0", pod_uid="uid-1")
    later = client.explain_assign(
        attachment("new"), [want()], workload=workload, attempt=attempt(30)
    )
    assert [(each.address, each.generation) for each in later.allocations] == [(old.address, 0)]
    earlier = client.explain_assign(
        attachment("new"), [want()], workload=workload, attempt=attempt(10)
    )
    assert earlier.refusal.reason == SUPERSEDED
    assert list(client.allocations()) == [old]
