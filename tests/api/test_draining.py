"""Pools that are drained, nodes that are deleted: what becomes of their blocks."""

import dataclasses

import pytest

import moorage
from harness import calls, serving
from moorage.v1 import resources_pb2

Pool = resources_pb2.Pool
ACTIVE, DRAINING = resources_pb2.POOL_STATE_ACTIVE, resources_pb2.POOL_STATE_DRAINING
NODE = resources_pb2.BLOCK_AFFINITY_NODE
VERSION = "SELECT catalog_version FROM vrfs WHERE name = 'default'"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ground:
    """Blocks with an address, an empty one, and one that another node owns."""

    used: str
    others: str


@pytest.fixture
def ground(client: moorage.Client) -> Ground:
    """Node n1 owns a used block and an empty one, n2 a used one, all of pool "a"."""
    calls.create_pool(client, "a", "10.0.0.0/24", block_affinity=NODE, block_size=30)
    client.upsert_node(resources_pb2.Node(name="vrfs/default/nodes/n1"))
    for at in range(5):
        calls.assign(client, f"c{at}", node="n1")
    (others,) = calls.assign(client, "other", node="n2")
    used, *_ = (each.cidr for each in client.blocks(node="n1") if each.counts.available_count == 0)
    kept = {each.block: each.attachment.container_id for each in client.allocations()}
    for container in [each.attachment.container_id for each in client.allocations()]:
        if container not in (kept[used], "other"):
            calls.release(client, container)
    assert [each.counts.assigned_count for each in client.blocks(node="n1")].count(0) == 1
    return Ground(used=used, others=others.block)


def blocks(client: moorage.Client) -> dict[str, str]:
    """The open blocks of pool "a" and the nodes they belong to."""
    return {each.cidr: each.node for each in client.blocks(pool="a")}


def test_a_drained_pool_gives_up_its_blocks_and_keeps_its_allocations(
    client: moorage.Client, ground: Ground
) -> None:
    held = list(client.allocations())
    drained = client.drain_pool("a")
    assert drained.state == DRAINING
    assert client.get_pool("a") == drained
    assert blocks(client) == {ground.used: "", ground.others: ""}
    assert list(client.allocations()) == held
    assert client.get_pool_usage("a").counts.assigned_count == 2


def test_a_node_that_was_never_recorded_gives_up_its_blocks(
    client: moorage.Client, ground: Ground
) -> None:
    # With an etag, somebody means a node that is recorded.
    with pytest.raises(moorage.NotFound):
        client.delete_node("n2", etag="e")
    assert blocks(client)[ground.others] == "n2"
    client.delete_node("n2")
    assert blocks(client)[ground.others] == ""
    with pytest.raises(moorage.NotFound) as raised:
        client.delete_node("n2")
    assert raised.value.reason == "NODE_NOT_FOUND"


def test_a_draining_pool_assigns_nothing_until_it_is_active_again(
    client: moorage.Client, ground: Ground
) -> None:
    client.drain_pool("a")
    with pytest.raises(moorage.Conflict) as caught:
        calls.assign(client, "new", node="n1")
    assert caught.value.reason == "NO_ELIGIBLE_POOL"
    for wanted in (calls.want(pools=("a",)), calls.fixed("10.0.0.200")):
        with pytest.raises(moorage.Conflict) as caught:
            calls.assign(client, "new", wanted, node="n1")
        assert caught.value.reason == "POOL_DRAINING"
    assert client.activate_pool("a").state == ACTIVE
    assert len(calls.assign(client, "new", calls.fixed("10.0.0.200"), node="n1")) == 1


def test_what_was_given_up_can_be_opened_again(client: moorage.Client, ground: Ground) -> None:
    client.drain_pool("a")
    for container in {each.attachment.container_id for each in client.allocations()}:
        calls.release(client, container)
    client.activate_pool("a")
    given = {calls.assign(client, f"n{at}", node="n3")[0].address for at in range(256 // 4)}
    assert len(given) == 256 // 4


def test_draining_and_activating_again_change_nothing(
    client: moorage.Client, server: serving.Serving
) -> None:
    calls.create_pool(client, "a", "10.0.0.0/24")
    active = client.activate_pool("a")
    assert active == client.get_pool("a")
    before = server.database.scalar(VERSION)
    drained = client.drain_pool("a", etag=active.etag)
    assert drained.etag != active.etag
    after = server.database.scalar(VERSION)
    assert before != after
    assert client.drain_pool("a", etag=drained.etag) == drained
    assert server.database.scalar(VERSION) == after
    again = client.activate_pool("a", etag=drained.etag)
    assert (again.state, again.uid) == (ACTIVE, active.uid)


def test_the_state_is_changed_by_these_calls_alone(client: moorage.Client) -> None:
    calls.create_pool(client, "a", "10.0.0.0/24", state=DRAINING)
    assert client.get_pool("a").state == ACTIVE
    drained = client.drain_pool("a")
    given = Pool(name=drained.name, state=ACTIVE, priority=5)
    for paths in ((), ("state", "priority")):
        given.priority += 1
        updated = client.update_pool(given, update_mask=paths)
        assert (updated.state, updated.priority) == (DRAINING, given.priority)
    assert client.update_pool(given, update_mask=["state"]) == updated


@pytest.mark.parametrize("change", ["drain_pool", "activate_pool"])
def test_an_old_etag_or_a_name_of_none_is_refused(client: moorage.Client, change: str) -> None:
    calls.create_pool(client, "a", "10.0.0.0/24")
    for pool, etag, reason in (
        ("a", "9-old", "ETAG_MISMATCH"),
        ("b", "", "POOL_NOT_FOUND"),
        ("vrfs/red/pools/a", "", "POOL_NOT_FOUND"),
        ("A", "", "INVALID_REQUEST"),
    ):
        with pytest.raises(moorage.MoorageError) as caught:
            getattr(client, change)(pool, etag=etag)
        assert caught.value.reason == reason


def test_a_deleted_node_gives_up_its_blocks_and_keeps_its_allocations(
    client: moorage.Client, ground: Ground
) -> None:
    held = list(client.allocations())
    client.delete_node("n1")
    assert blocks(client) == {ground.used: "", ground.others: "n2"}
    assert list(client.allocations()) == held


def test_a_node_gives_up_blocks_of_every_pool_of_its_vrf(
    client: moorage.Client, server: serving.Serving
) -> None:
    client.create_vrf("blue")
    for vrf in ("default", "blue"):
        client.upsert_node(resources_pb2.Node(name=f"vrfs/{vrf}/nodes/n1"))
        for name, cidr in (("a", "10.0.0.0/24"), ("b", "10.0.9.0/24"), ("c", "fd00::/32")):
            client.create_pool(name, Pool(cidr=cidr), vrf=vrf)
            family = calls.IPV6 if ":" in cidr else calls.IPV4
            attachment = calls.attachment(f"{vrf}-{name}")
            workload = resources_pb2.Workload(node="n1")
            wanted = [calls.want(family, pools=(name,))]
            client.assign(attachment, wanted, workload=workload, vrf=vrf)
            client.release(attachment, vrf=vrf)
    client.delete_node("n1")
    assert list(client.blocks()) == []
    assert [each.node for each in client.blocks(vrf="blue")] == ["n1"] * 3


def test_a_block_with_cooling_addresses_is_not_empty(
    client: moorage.Client, server: serving.Serving
) -> None:
    calls.create_pool(client, "ready", "10.0.0.0/26", block_affinity=NODE)
    calls.create_pool(client, "cooling", "10.0.1.0/26", block_affinity=NODE)
    for pool in ("ready", "cooling"):
        calls.assign(client, pool, calls.want(pools=(pool,)), node="n1")
        calls.release(client, pool)
    server.database.execute(
        "UPDATE blocks SET free = array_remove(free, 7::smallint), next_ready_tick = 0,"
        " cooling = jsonb_build_array(jsonb_build_array(7,"
        "  CASE pool_cidr WHEN '10.0.0.0/26' THEN 0 ELSE 9000000000000000 END, ''))"
    )
    client.drain_pool("ready")
    client.drain_pool("cooling")
    assert [(each.cidr, each.node) for each in client.blocks()] == [("10.0.1.0/26", "")]
    server.database.execute(
        "UPDATE blocks SET free = free || 7::smallint, cooling = '[]', next_ready_tick = NULL"
    )
