"""Changes that are only validated: refused as if they were made, and never made."""

from collections.abc import Callable

import pytest

import moorage
from harness import calls, serving
from moorage.v1 import resources_pb2

Pool, Reservation = resources_pb2.Pool, resources_pb2.Reservation
Vrf, Node = resources_pb2.Vrf, resources_pb2.Node
VrfConfiguration = resources_pb2.VrfConfiguration
Call = Callable[[moorage.Client], object]

WEB, OFFICE = "vrfs/default/pools/web", "vrfs/default/reservations/office"
N1 = "vrfs/default/nodes/n1"
STATE = """
SELECT (SELECT json_agg(v ORDER BY v.name)::text FROM vrfs v)
    || (SELECT json_agg(p ORDER BY p.name)::text FROM pools p)
    || (SELECT json_agg(r ORDER BY r.name)::text FROM reservations r)
    || (SELECT json_agg(n ORDER BY n.name)::text FROM nodes n)
    || (SELECT json_agg(b ORDER BY b.cidr)::text FROM blocks b)
    || (SELECT json_agg(f ORDER BY f.pool_id)::text FROM pool_frontiers f)
"""

CHANGES: dict[str, Call] = {
    "a pool": lambda it: it.create_pool("db", Pool(cidr="10.0.1.0/24"), validate_only=True),
    "a pool's change": lambda it: it.update_pool(
        Pool(name=WEB, block_affinity=resources_pb2.BLOCK_AFFINITY_NONE, cooldown_seconds=60),
        update_mask=["block_affinity", "cooldown_seconds"],
        validate_only=True,
    ),
    "a pool's deletion": lambda it: it.delete_pool("idle", validate_only=True),
    "a reservation": lambda it: it.create_reservation(
        "r", Reservation(cidrs=["10.0.0.9"]), validate_only=True
    ),
    "a reservation's change": lambda it: it.update_reservation(
        Reservation(name=OFFICE, cidrs=["10.0.0.7"]), validate_only=True
    ),
    "a reservation's deletion": lambda it: it.delete_reservation("office", validate_only=True),
    "a VRF": lambda it: it.create_vrf("blue", validate_only=True),
    "a VRF's change": lambda it: it.update_vrf(
        Vrf(name="vrfs/default", configuration=VrfConfiguration(cooldown_seconds=9)),
        validate_only=True,
    ),
    "a VRF's deletion": lambda it: it.delete_vrf("red", validate_only=True),
    "a node": lambda it: it.upsert_node(Node(name=N1, labels={"zone": "b"}), validate_only=True),
    "a node's deletion": lambda it: it.delete_node("n1", validate_only=True),
}
REFUSED: dict[str, tuple[Call, str]] = {
    "a malformed pool": (
        lambda it: it.create_pool("x", Pool(cidr="10.1.0.0/24", block_size=33), validate_only=True),
        "INVALID_REQUEST",
    ),
    "a pool that overlaps": (
        lambda it: it.create_pool("x", Pool(cidr="10.0.0.0/25"), validate_only=True),
        "POOL_OVERLAPS",
    ),
    "a pool of that name": (
        lambda it: it.create_pool("web", Pool(cidr="10.1.0.0/24"), validate_only=True),
        "POOL_ALREADY_EXISTS",
    ),
    "a pool in no VRF": (
        lambda it: it.create_pool("x", Pool(cidr="10.1.0.0/24"), vrf="no", validate_only=True),
        "VRF_NOT_FOUND",
    ),
    "another range": (
        lambda it: it.update_pool(Pool(name=WEB, cidr="10.9.0.0/24"), validate_only=True),
        "FIELD_IMMUTABLE",
    ),
    "a pool in use": (lambda it: it.delete_pool("web", validate_only=True), "POOL_IN_USE"),
    "a reservation of that name": (
        lambda it: it.create_reservation(
            "office", Reservation(cidrs=["10.0.0.9"]), validate_only=True
        ),
        "RESERVATION_ALREADY_EXISTS",
    ),
    "a reservation as it is not": (
        lambda it: it.delete_reservation("office", etag="e", validate_only=True),
        "ETAG_MISMATCH",
    ),
    "a VRF of that name": (
        lambda it: it.create_vrf("red", validate_only=True),
        "VRF_ALREADY_EXISTS",
    ),
    "a configuration that cannot be": (
        lambda it: it.update_vrf(
            Vrf(name="vrfs/default", configuration=VrfConfiguration(max_blocks_per_node=3)),
            validate_only=True,
        ),
        "INVALID_REQUEST",
    ),
    "a VRF in use": (lambda it: it.delete_vrf("default", validate_only=True), "VRF_IN_USE"),
    "no such node": (lambda it: it.delete_node("n9", validate_only=True), "NODE_NOT_FOUND"),
}


@pytest.fixture
def state(client: moorage.Client, server: serving.Serving) -> Callable[[], object]:
    """Something of everything; tells what there is."""
    client.create_pool("web", Pool(cidr="10.0.0.0/24"))
    client.create_pool("idle", Pool(cidr="10.0.9.0/24"))
    client.create_reservation("office", Reservation(cidrs=["10.0.0.8/29"]))
    client.create_vrf("red")
    client.upsert_node(Node(name=N1, labels={"zone": "a"}))
    calls.assign(client, "c1", calls.want(pools=("web",)), node="n1")
    return lambda: server.database.scalar(STATE)


@pytest.mark.parametrize("call", CHANGES.values(), ids=list(CHANGES))
def test_what_is_only_validated_is_not_changed(
    client: moorage.Client, state: Callable[[], object], call: Call
) -> None:
    before = state()
    call(client)
    assert state() == before


@pytest.mark.parametrize(("call", "reason"), REFUSED.values(), ids=list(REFUSED))
def test_what_would_be_refused_is_refused(
    client: moorage.Client, state: Callable[[], object], call: Call, reason: str
) -> None:
    before = state()
    with pytest.raises(moorage.MoorageError) as raised:
        call(client)
    assert raised.value.reason == reason
    assert state() == before


def test_the_answer_is_as_if_it_were_changed(client: moorage.Client) -> None:
    wanted = Pool(cidr="10.0.0.0/24", node_selector="zone=='a'")
    would_be = client.create_pool("web", wanted, validate_only=True)
    assert (would_be.name, would_be.node_selector, would_be.block_size) == (
        "vrfs/default/pools/web",
        'zone == "a"',
        26,
    )
    made = client.create_pool("web", wanted)
    would_be = client.update_pool(
        Pool(name=made.name, priority=7), update_mask=["priority"], validate_only=True
    )
    assert (would_be.priority, would_be.etag != made.etag) == (7, True)
    assert client.get_pool("web") == made


def test_what_was_only_validated_can_be_done_after_it(client: moorage.Client) -> None:
    client.create_pool("web", Pool(cidr="10.0.0.0/24"), validate_only=True)
    client.create_pool("web", Pool(cidr="10.0.0.0/24"))
    assert calls.assign(client, "c1")[0].address == "10.0.0.0"
