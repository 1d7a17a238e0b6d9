"""Nodes that open, take over and give up blocks at once, through two servers."""

import collections
import concurrent.futures
import threading

import pytest

import moorage
from harness import postgres
from harness.calls import addresses_of, assign, create_pool, release
from harness.races import Outcome, at_once, held
from moorage.v1 import resources_pb2 as messages

NODE = messages.BLOCK_AFFINITY_NODE


def configure(client: moorage.Client, **fields: int) -> None:
    """Sets the configuration of the VRF."""
    configuration = messages.VrfConfiguration(**fields)  # type: ignore[arg-type]  # protobuf checks
    vrf = messages.Vrf(name="vrfs/default", configuration=configuration)
    client.update_vrf(vrf, update_mask=["configuration"])


def reasons(outcomes: list[Outcome]) -> collections.Counter[str]:
    """How often each refusal came; "" is success."""
    return collections.Counter(
        each.reason if isinstance(each, moorage.MoorageError) else "" for each in outcomes
    )


def test_a_node_never_owns_more_blocks_than_it_may(
    clients: list[moorage.Client], database: postgres.Database
) -> None:
    configure(clients[0], strict_affinity=True, max_blocks_per_node=3)
    for name, cidr in (("a", "10.0.0.0/27"), ("b", "10.0.1.0/27")):
        create_pool(clients[0], name, cidr, block_size=30, block_affinity=NODE)
    outcomes = at_once(24, lambda at: assign(clients[at % 2], f"c{at}", node="n1"))
    assert reasons(outcomes) == {"": 12, "BLOCK_LIMIT_REACHED": 12}
    assert database.scalar("SELECT count(*) FROM blocks WHERE node = 'n1'") == 3


def test_an_idle_block_is_taken_over_by_one_node(
    clients: list[moorage.Client], database: postgres.Database
) -> None:
    configure(clients[0], strict_affinity=True)
    create_pool(clients[0], "a", "10.0.0.0/29", block_size=30, block_affinity=NODE)
    for node in ("n1", "n2"):
        assign(clients[0], node, node=node)
        release(clients[0], node)
    database.execute("UPDATE blocks SET claim_time = claim_time - interval '61 s'")
    outcomes = at_once(8, lambda at: assign(clients[at % 2], f"c{at}", node=f"m{at}"))
    assert reasons(outcomes) == {"": 2, "POOL_EXHAUSTED": 6}
    assert database.scalar("SELECT count(DISTINCT node) FROM blocks WHERE node LIKE 'm%'") == 2


def test_32_nodes_share_16_blocks(
    clients: list[moorage.Client], database: postgres.Database
) -> None:
    create_pool(clients[0], "a", "10.0.0.0/24", block_size=28, block_affinity=NODE)
    outcomes = at_once(32, lambda at: assign(clients[at % 2], f"c{at}", node=f"n{at}"))
    assert len(set(held(outcomes))) == 32
    assert database.scalar("SELECT count(DISTINCT node) FROM blocks") == 16


@pytest.mark.parametrize("cooldown", [0, 1200])
def test_the_last_address_of_a_block_of_nobody_and_the_next_one_meet(
    clients: list[moorage.Client], database: postgres.Database, cooldown: int
) -> None:
    configure(clients[0], cooldown_seconds=cooldown)
    create_pool(clients[0], "a", "10.0.0.0/24", block_size=30, block_affinity=NODE)
    turns = threading.Barrier(8)

    def churn(at: int) -> list[messages.Allocation]:
        for turn in range(6):
            given = assign(clients[(at + turn) % 2], f"c{at}")
            turns.wait()
            assert release(clients[at % 2], f"c{at}") == addresses_of(given)
        return []

    assert reasons(at_once(8, churn)) == {"": 8}
    assert database.scalar("SELECT count(*) FROM allocations") == 0
    resting = database.scalar("SELECT sum(jsonb_array_length(cooling)) FROM blocks")
    assert resting == (48 if cooldown else None)


def test_nothing_is_assigned_of_a_pool_once_it_is_drained(
    clients: list[moorage.Client], database: postgres.Database
) -> None:
    create_pool(clients[0], "a", "10.0.0.0/20", block_size=30, block_affinity=NODE)
    begun = threading.Barrier(9)

    def fill(at: int) -> list[messages.Allocation]:
        begun.wait()
        for turn in range(1000):
            assign(clients[(at + turn) % 2], f"c{at}-{turn}", node=f"n{at}")
        return []

    def drain() -> int:
        begun.wait()
        clients[0].drain_pool("a")
        return int(str(database.scalar("SELECT count(*) FROM allocations")))

    with concurrent.futures.ThreadPoolExecutor(1) as beside:
        drained = beside.submit(drain)
        assert reasons(at_once(8, fill)) == {"NO_ELIGIBLE_POOL": 8}
        assert database.scalar("SELECT count(*) FROM allocations") == drained.result()
    assert database.scalar("SELECT count(*) FROM blocks WHERE node IS NOT NULL") == 0


def test_nothing_is_assigned_inside_a_reservation_once_it_is_made(
    clients: list[moorage.Client], database: postgres.Database
) -> None:
    create_pool(clients[0], "a", "10.0.0.0/20")
    begun, stop = threading.Barrier(9), threading.Event()

    def fill(at: int) -> list[messages.Allocation]:
        begun.wait()
        for turn in range(1000):
            if stop.is_set():
                return []
            assign(clients[(at + turn) % 2], f"c{at}-{turn}")
        raise AssertionError("the reservation was never made")

    def reserve() -> int:
        begun.wait()
        whole = messages.Reservation(cidrs=["10.0.0.0/21"])
        clients[0].create_reservation("half", whole)
        count = int(str(database.scalar(_INSIDE)))
        stop.set()
        return count

    with concurrent.futures.ThreadPoolExecutor(1) as beside:
        reserved = beside.submit(reserve)
        assert reasons(at_once(8, fill)) == {"": 8}
        assert database.scalar(_INSIDE) == reserved.result()


_INSIDE = "SELECT count(*) FROM allocations WHERE address <<= '10.0.0.0/21'"
