"""Blocks are adopted by many callers at once, beside assigns: every address has one holder."""

import concurrent.futures
import time

import sqlalchemy as sa

import moorage
from harness import postgres
from harness.calls import addresses_of, assign, attachment, create_pool, release
from harness.races import at_once, held
from moorage.v1 import admin_service_pb2
from moorage.v1 import resources_pb2 as messages

PODS = 24
WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'
"""
# Whoever writes the same attachment waits for the end of the transaction.
ATTACHMENT = """
INSERT INTO attachments (vrf_id, uid, network, container_id, interface, state, use)
SELECT vrf_id, CAST(encode(substring(sha256(convert_to(vrf_id || '/pods/c0/eth0', 'UTF8'))
    FOR 16), 'hex') AS uuid), 'pods', 'c0', 'eth0', 'RELEASED', 'WORKLOAD' FROM vrfs
"""


def adopt(client: moorage.Client, cidr: str, prefix: str, *, backwards: bool = False) -> int:
    """Adopts an address for each pod; returns how many were adopted."""
    pods = range(PODS - 1, -1, -1) if backwards else range(PODS)
    addresses = [
        admin_service_pb2.AdoptedAddress(
            address=f"{prefix}{at:x}" if ":" in prefix else f"{prefix}{at}",
            attachment=attachment(f"c{at}"),
        )
        for at in pods
    ]
    answer = client.adopt_block(cidr, addresses, node="n1")
    assert not answer.conflicts, answer
    return answer.adopted_count


def test_one_block_adopted_everywhere_at_once_is_adopted_once(
    clients: list[moorage.Client],
) -> None:
    create_pool(clients[0], "a", "10.0.0.0/24", block_size=26)
    adopted: list[int] = []

    def call(at: int) -> list[messages.Allocation]:
        adopted.append(adopt(clients[at % 2], "10.0.0.0/26", "10.0.0.", backwards=at % 3 == 0))
        return []

    assert at_once(8, call) == [[]] * 8
    assert sorted(adopted) == [0] * 7 + [PODS]


def test_both_families_of_the_same_pods_are_adopted_at_once(
    clients: list[moorage.Client],
) -> None:
    create_pool(clients[0], "four", "10.0.0.0/24", block_size=26)
    create_pool(clients[0], "six", "fd00::/64", block_size=122)

    def call(at: int) -> list[messages.Allocation]:
        cidr, prefix = (("10.0.0.0/26", "10.0.0."), ("fd00::/122", "fd00::"))[at % 2]
        adopt(clients[at // 2 % 2], cidr, prefix, backwards=at % 3 == 0)
        return []

    assert at_once(8, call) == [[]] * 8
    for at in range(PODS):
        assert set(release(clients[0], f"c{at}")) == {f"10.0.0.{at}", _six(at)}


def _six(at: int) -> str:
    return f"fd00::{at:x}" if at else "fd00::"


def test_assigns_go_on_while_blocks_are_adopted(clients: list[moorage.Client]) -> None:
    create_pool(clients[0], "a", "10.0.0.0/24", block_size=27)
    # What is to be adopted is held back from the assigns; the block is theirs as well.
    clients[0].create_reservation(
        "left", messages.Reservation(cidrs=["10.0.0.0/28", "10.0.0.16/29"])
    )

    def call(at: int) -> list[messages.Allocation]:
        if at % 8 == 0:
            adopt(clients[at // 8 % 2], "10.0.0.0/27", "10.0.0.")
            return []
        return assign(clients[at % 2], f"new{at}", node=f"n{at % 3}")

    outcomes = at_once(32, call)
    assigned = held([each for each in outcomes if each != []])
    assert len(set(assigned)) == len(assigned) == 28


def test_blocks_are_opened_while_attachments_of_another_are_written(
    clients: list[moorage.Client], database: postgres.Database
) -> None:
    create_pool(clients[0], "a", "10.0.0.0/24", block_size=26)
    clients[0].create_reservation("left", messages.Reservation(cidrs=["10.0.0.0/26"]))
    with concurrent.futures.ThreadPoolExecutor(1) as thread, database.connect() as stranger:
        stranger.execute(sa.text(ATTACHMENT))
        adopting = thread.submit(adopt, clients[0], "10.0.0.0/26", "10.0.0.")
        deadline = time.monotonic() + 10
        while not database.scalar(WAITING):
            assert time.monotonic() < deadline, "nothing waited"
        assert addresses_of(assign(clients[1], "new")) == ["10.0.0.64"]
        assert not adopting.done()
        stranger.rollback()
        assert adopting.result() == PODS
