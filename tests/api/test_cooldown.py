"""Cool-downs of pools, through a real channel: their length, and who yields."""

import pytest

import moorage
from harness import calls, serving
from harness.calls import addresses_of, assign, release
from moorage.v1 import resources_pb2 as messages

YIELD = messages.COOLDOWN_POLICY_YIELD


def configure(client: moorage.Client, cooldown: int) -> None:
    """The cool-down of the VRF."""
    configuration = messages.VrfConfiguration(cooldown_seconds=cooldown)
    client.update_vrf(messages.Vrf(name="vrfs/default", configuration=configuration))


def change(client: moorage.Client, pool: str, **fields: object) -> messages.Pool:
    """A pool with these fields changed; None clears one."""
    given = {name: value for name, value in fields.items() if value is not None}
    changed = messages.Pool(name=f"vrfs/default/pools/{pool}", **given)  # type: ignore[arg-type]  # checked by protobuf
    return client.update_pool(changed, update_mask=list(fields))


def later(server: serving.Serving, ticks: int) -> None:
    """So many seconds pass."""
    server.database.execute("UPDATE ticks SET tick = tick + :ticks", ticks=ticks)


def test_a_pool_has_no_cool_down_of_its_own_unless_it_is_given_one(client: moorage.Client) -> None:
    calls.create_pool(client, "a", "10.0.0.0/24")
    calls.create_pool(client, "b", "10.0.1.0/24", cooldown_seconds=0, cooldown_policy=YIELD)
    first, second = client.get_pool("a"), client.get_pool("b")
    assert (first.HasField("cooldown_seconds"), first.cooldown_policy) == (
        False,
        messages.COOLDOWN_POLICY_REFUSE,
    )
    assert (second.HasField("cooldown_seconds"), second.cooldown_seconds) == (True, 0)
    assert second.cooldown_policy == YIELD
    assert change(client, "b", cooldown_seconds=1200).cooldown_seconds == 1200
    assert not change(client, "b", cooldown_seconds=None).HasField("cooldown_seconds")
    assert client.get_pool("b").cooldown_policy == YIELD


@pytest.mark.parametrize("seconds", [-1, 1201])
def test_a_cool_down_has_its_limits(client: moorage.Client, seconds: int) -> None:
    with pytest.raises(moorage.InvalidRequest, match=r"pool\.cooldown_seconds"):
        calls.create_pool(client, "a", "10.0.0.0/24", cooldown_seconds=seconds)


def test_what_is_cooling_moves_with_the_cool_down_that_is_in_force(
    client: moorage.Client, server: serving.Serving
) -> None:
    configure(client, 600)
    calls.create_pool(client, "a", "10.0.0.0/32")
    calls.create_pool(client, "b", "10.0.1.0/32", cooldown_seconds=900)
    for pool in "ab":
        assign(client, pool, calls.want(pools=(pool,)))
        release(client, pool)
    ready = "SELECT next_ready_tick FROM blocks ORDER BY cidr"
    (first,), (second,) = server.database.rows(ready)
    configure(client, 700)
    assert server.database.rows(ready) == [(int(str(first)) + 100,), (second,)]
    change(client, "b", cooldown_seconds=1000)
    assert server.database.rows(ready) == [(int(str(first)) + 100,), (int(str(second)) + 100,)]
    change(client, "b", cooldown_seconds=None)
    assert server.database.rows(ready) == [(int(str(first)) + 100,), (int(str(second)) - 200,)]
    change(client, "a", cooldown_seconds=0)
    assert addresses_of(assign(client, "c2", calls.want(pools=("a",)))) == ["10.0.0.0"]


def test_what_was_ready_stays_so_when_the_cool_down_grows(
    client: moorage.Client, server: serving.Serving
) -> None:
    configure(client, 10)
    calls.create_pool(client, "a", "10.0.0.0/32")
    assign(client)
    release(client)
    later(server, 11)
    configure(client, 1200)
    assert addresses_of(assign(client, "c2")) == ["10.0.0.0"]


def test_a_pool_that_yields_says_so_of_what_it_gave(
    client: moorage.Client, server: serving.Serving
) -> None:
    calls.create_pool(client, "a", "10.0.0.0/31", cooldown_seconds=600, cooldown_policy=YIELD)
    assign(client, "c1")
    assign(client, "c2")
    release(client, "c2")
    later(server, 5)
    release(client, "c1")
    explained = client.explain_assign(calls.attachment("c3"), [calls.want()])
    assert [each.yielded for each in explained.allocations] == [True]
    (given,) = assign(client, "c3")
    assert (given.address, given.yielded) == ("10.0.0.1", True)
    assert assign(client, "c3") == [given]
    assert client.get_allocation("10.0.0.1").yielded
    (named,) = assign(client, "c4", calls.fixed("10.0.0.0"))
    assert named.yielded
    told = "SELECT address::text, yielded FROM events WHERE kind = 'ASSIGNED' ORDER BY event_id"
    assert [row[1] for row in server.database.rows(told)] == [False, False, True, True]
    release(client, "c4")
    kind = "SELECT yielded FROM events WHERE kind = 'RELEASED' ORDER BY event_id DESC LIMIT 1"
    assert server.database.scalar(kind) is True
    later(server, 601)
    assert not assign(client, "c5")[0].yielded


def test_a_pool_that_refuses_does_not_yield(client: moorage.Client) -> None:
    calls.create_pool(client, "a", "10.0.0.0/32", cooldown_seconds=600)
    assign(client, "c1")
    release(client, "c1")
    with pytest.raises(moorage.Exhausted) as refused:
        assign(client, "c2")
    assert refused.value.reason == "POOL_COOLING"


def test_a_pod_of_another_cluster_is_not_the_owner_of_what_cools_down(
    client: moorage.Client,
) -> None:
    calls.create_pool(client, "a", "10.0.0.0/32", cooldown_seconds=600)

    def assigned(cluster: str, container: str) -> str:
        web = messages.Workload(namespace="shop", pod="web-0", cluster=cluster)
        (held,) = client.assign(calls.attachment(container), [calls.want()], workload=web)
        return held.address

    given = assigned("east", "c1")
    release(client, "c1")
    with pytest.raises(moorage.Exhausted):
        assigned("west", "c2")
    assert assigned("east", "c3") == given


def test_what_is_cooling_and_reserved_is_not_waited_for(client: moorage.Client) -> None:
    calls.create_pool(client, "a", "10.0.0.0/31", cooldown_seconds=600)
    assign(client, "c1")
    assign(client, "c2")
    release(client, "c1")
    with pytest.raises(moorage.Exhausted) as refusal:
        assign(client, "c3")
    assert refusal.value.reason == "POOL_COOLING"
    client.create_reservation("r", messages.Reservation(cidrs=["10.0.0.0/32"]))
    with pytest.raises(moorage.Exhausted) as refusal:
        assign(client, "c3")
    assert refusal.value.reason == "POOL_EXHAUSTED"
    metadata = refusal.value.metadata
    assert [metadata[each] for each in ("size", "assigned", "reserved")] == ["2", "1", "1"]


def test_who_is_refused_in_a_batch_is_told_what_is_true_then(client: moorage.Client) -> None:
    calls.create_pool(client, "a", "10.0.0.0/32", cooldown_seconds=600)
    assign(client, "c1")
    release(client, "c1")
    # One attachment wants two addresses: the first is taken back, and then nothing is cooling.
    with pytest.raises(moorage.Exhausted) as refused:
        assign(client, "c1", calls.want(), calls.want(), stamp=None)
    assert refused.value.reason == "POOL_EXHAUSTED"
