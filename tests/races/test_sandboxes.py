"""Two sandboxes of one pod, in whatever order their calls arrive: one holder or none, never two.

A sandbox is deleted after it was added, and the second one is added after the first.
When the first is deleted, everything else may have happened or not.
"""

import concurrent.futures
import itertools

import pytest

import moorage
from harness import invariants, postgres
from harness.calls import attachment, attempt, create_pool, want
from harness.races import at_once
from moorage.v1 import filter_pb2
from moorage.v1 import resources_pb2 as messages
from moorage_server.storage import locks

CALLS = ("ADD1", "ADD2", "DEL1", "DEL2")
BEGUN = [
    ("ADD1", "ADD2", "DEL1", "DEL2"),
    ("ADD1", "ADD2", "DEL2", "DEL1"),
    ("ADD1", "DEL1", "ADD2", "DEL2"),
]


def call(
    client: moorage.Client, pod: str, name: str, begun: tuple[str, ...]
) -> list[messages.Allocation]:
    """One of the four calls, with the stamp of its place in the order they began in."""
    stamp, container = attempt(begun.index(name) + 1), attachment(f"{pod}-{name[-1]}")
    if name.startswith("DEL"):
        return client.release(container, attempt=stamp)
    workload = messages.Workload(node="n1", namespace="shop", pod=pod, pod_uid=pod)
    return client.assign(container, [want()], workload=workload, attempt=stamp)


def reason(client: moorage.Client, pod: str, name: str, begun: tuple[str, ...]) -> str:
    """The reason a call is refused for; empty where it is not."""
    try:
        call(client, pod, name, begun)
    except moorage.MoorageError as error:
        return error.reason
    return ""


def expected(name: str, came: set[str]) -> str:
    """What a call is told after those that came."""
    if name == "ADD1" and "ADD2" in came:
        return "ATTACHMENT_SUPERSEDED"
    released = name.replace("ADD", "DEL") in came
    return "ATTACHMENT_RELEASED" if name.startswith("ADD") and released else ""


def holders(client: moorage.Client, pod: str) -> list[str]:
    """The sandboxes that hold an address."""
    of_pod = filter_pb2.AllocationFilter(workload=messages.Workload(pod_uid=pod))
    return [each.attachment.container_id[-1] for each in client.allocations(of_pod)]


@pytest.mark.parametrize("begun", BEGUN, ids=" ".join)
def test_every_order_of_arrival_ends_with_none_and_never_has_two(
    clients: list[moorage.Client], begun: tuple[str, ...]
) -> None:
    create_pool(clients[0], "a", "10.0.0.0/24")
    for arrival in itertools.permutations(CALLS):
        pod, came, holds = "-".join(arrival), set[str](), list[str]()
        for at, name in enumerate(arrival):
            told = reason(clients[at % 2], pod, name, begun)
            assert told == expected(name, came), (arrival, name)
            if not told:
                holds = (
                    [name[-1]] if name.startswith("ADD") else [h for h in holds if h != name[-1]]
                )
                came.add(name)
            assert holders(clients[0], pod) == holds, (arrival, name)
        assert holds == []
    assert list(clients[0].allocations()) == []


@pytest.mark.parametrize("servers", [1, 2])
@pytest.mark.parametrize("begun", BEGUN, ids=" ".join)
def test_all_four_at_once_end_with_none(
    clients: list[moorage.Client], begun: tuple[str, ...], servers: int
) -> None:
    create_pool(clients[0], "a", "10.0.0.0/24")
    outcomes = at_once(
        32,
        lambda at: call(clients[at % 4 % servers], f"pod-{at // 4}", CALLS[at % 4], begun),
    )
    refused = {each.reason for each in outcomes if isinstance(each, moorage.MoorageError)}
    assert refused <= {"ATTACHMENT_SUPERSEDED", "ATTACHMENT_RELEASED"}
    assert list(clients[0].allocations()) == []


@pytest.mark.parametrize("servers", [1, 2])
def test_of_eight_sandboxes_at_once_the_newest_holds_the_address(
    clients: list[moorage.Client], database: postgres.Database, servers: int
) -> None:
    create_pool(clients[0], "a", "10.0.0.0/29")

    def add(at: int) -> list[messages.Allocation]:
        pod = messages.Workload(node="n1", pod_uid=f"pod-{at // 8}")
        return clients[at % servers].assign(
            attachment(f"c{at}"), [want()], workload=pod, attempt=attempt(at + 1)
        )

    outcomes = at_once(32, add)
    refused = {each.reason for each in outcomes if isinstance(each, moorage.MoorageError)}
    assert refused <= {"ATTACHMENT_SUPERSEDED"}
    held = {each.attachment.container_id for each in clients[0].allocations()}
    assert held == {"c7", "c15", "c23", "c31"}
    invariants.check(database)


@pytest.mark.parametrize("servers", [1, 2])
def test_a_release_of_the_old_sandbox_never_takes_the_address_of_the_new_one(
    clients: list[moorage.Client], servers: int
) -> None:
    create_pool(clients[0], "a", "10.0.0.0/24")
    begun = BEGUN[0]
    for at in range(16):
        call(clients[0], f"pod-{at}", "ADD1", begun)
    outcomes = at_once(
        32,
        lambda at: call(
            clients[at % servers], f"pod-{at // 2}", "DEL1" if at % 2 else "ADD2", begun
        ),
    )
    assert not [each for each in outcomes if isinstance(each, moorage.MoorageError)]
    for at in range(16):
        assert holders(clients[0], f"pod-{at}") == ["2"]


def test_a_takeover_waits_for_what_is_done_with_the_old_sandbox_and_holds_up_nobody(
    client: moorage.Client, database: postgres.Database
) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    begun = BEGUN[0]
    (old,) = call(client, "pod", "ADD1", begun)
    with database.connect() as stranger, concurrent.futures.ThreadPoolExecutor(1) as pool:
        stranger.begin()
        locks.take(stranger, locks.Class.ATTACHMENT, "default/pods/pod-1/eth0")
        waiting = pool.submit(call, client, "pod", "ADD2", begun)
        for at in range(20):
            call(client, f"other-{at}", "ADD1", begun)
        assert not waiting.done()
        stranger.rollback()
        assert [each.address for each in waiting.result(timeout=20)] == [old.address]
