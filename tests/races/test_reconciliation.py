"""Lists against everything else that happens to an attachment at the same moment."""

import concurrent.futures
import threading
from collections.abc import Callable
from typing import TypeVar

import pytest

import moorage
from harness import postgres
from harness.calls import assign, create_pool, fixed, release
from harness.reconciling import GRACE, pass_time, reconcile, suspects, worked_on
from moorage_server.domain.reconciliation import ReconcileRequest
from moorage_server.storage import catalogs
from moorage_server.storage import database as databases
from moorage_server.usecases import batch
from moorage_server.usecases import reconcile as use_case

T = TypeVar("T")


def both(first: Callable[[], T], second: Callable[[], T]) -> tuple[T, T]:
    """What two calls that begin at the same moment return."""
    barrier = threading.Barrier(2)

    def run(call: Callable[[], T]) -> T:
        barrier.wait()
        return call()

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = list(pool.map(run, (first, second)))
    return results[0], results[1]


def leaked(client: moorage.Client, database: postgres.Database, *containers: str) -> None:
    """Attachments of n1 that the next list, should it lack them, releases."""
    for container in containers:
        assign(client, container, node="n1", stamp=1)
    reconcile(client)
    pass_time(database)


def test_two_lists_at_once_release_everything_once(
    clients: list[moorage.Client], database: postgres.Database
) -> None:
    create_pool(clients[0], "a", "10.0.0.0/24")
    leaked(clients[0], database, *(f"c{at}" for at in range(40)))
    one, other = both(lambda: reconcile(clients[0]), lambda: reconcile(clients[1]))
    assert not [*one.failures, *other.failures]
    released = [each.address for each in (*one.released, *other.released)]
    assert len(released) == len(set(released)) == 40
    assert list(clients[0].allocations()) == []


@pytest.mark.parametrize("turn", range(5))
def test_a_list_and_a_repeated_assign_at_once_leave_one_or_the_other(
    clients: list[moorage.Client], database: postgres.Database, turn: int
) -> None:
    create_pool(clients[0], "a", "10.0.0.0/24")
    names = [f"c{at}" for at in range(10)]
    leaked(clients[0], database, *names)

    def repeat() -> set[str]:
        kept = set()
        for name in names[:: 1 if turn % 2 else -1]:
            try:
                kept.add(assign(clients[1], name, node="n1", stamp=1)[0].attachment.container_id)
            except moorage.MoorageError as refusal:
                if refusal.reason != "ATTACHMENT_RELEASED":
                    raise
        return kept

    def collect() -> set[str]:
        return {each.attachment.container_id for each in reconcile(clients[0]).released}

    kept, released = both(repeat, collect)
    # Whoever was told that it has its address has it.
    assert kept == {each.attachment.container_id for each in clients[0].allocations()}
    assert kept == set(names) - released


class _Found:
    """What a list found, before anything is released: between the two steps of a call."""

    def __init__(self, database: postgres.Database) -> None:
        self._store = databases.Database(database.service_url, threads=1)
        self._compiled = catalogs.Catalogs()
        request = ReconcileRequest(vrf="default", node="n1", grace=GRACE)
        found = use_case.find(self._store, self._limits(), self._compiled, request)
        (self._leak,) = found.leaks

    @staticmethod
    def _limits() -> databases.Limits:
        return databases.Limits(lock=2, statement=5, deadline=float("inf"))

    def release(self) -> int:
        """The second step; how many addresses were released."""
        ran = batch.run(
            self._store,
            self._limits(),
            [self._leak.release],
            compiled=self._compiled,
            locking=batch.Locking.WAITING,
        )
        (outcome,) = ran.outcomes
        assert isinstance(outcome, tuple)
        return len(outcome)

    def close(self) -> None:
        """Ends its connections."""
        self._store.close()


@pytest.fixture
def found(client: moorage.Client, database: postgres.Database) -> "list[_Found]":
    """A leak that was found, its release under way."""
    create_pool(client, "a", "10.0.0.0/24")
    leaked(client, database, "c0")
    return [_Found(database)]


def test_without_anything_between_the_steps_it_is_released(found: list[_Found]) -> None:
    assert found[0].release() == 1
    assert found[0].release() == 0
    found[0].close()


def test_an_assign_between_the_steps_keeps_its_address(
    client: moorage.Client, found: list[_Found]
) -> None:
    (held,) = assign(client, "c0", node="n1", stamp=1)
    assert found[0].release() == 0
    assert list(client.allocations()) == [held]
    found[0].close()


def test_a_list_that_has_it_between_the_steps_keeps_it(
    client: moorage.Client, database: postgres.Database, found: list[_Found]
) -> None:
    reconcile(client, "c0")
    assert found[0].release() == 0
    # And again suspect, but for another reason than was found.
    reconcile(client)
    pass_time(database)
    assert found[0].release() == 0
    assert suspects(client) == {"c0"}
    found[0].close()


def test_a_release_and_an_assign_between_the_steps_keep_the_new_holding(
    client: moorage.Client, found: list[_Found]
) -> None:
    release(client, "c0", stamp=2)
    (held,) = assign(client, "c0", fixed("10.0.0.0"), node="n1", stamp=3)
    assert held.address == "10.0.0.0"
    assert found[0].release() == 0
    assert list(client.allocations()) == [held]
    found[0].close()


def test_the_address_of_a_leak_that_another_holds_by_now_stays_with_it(
    client: moorage.Client, found: list[_Found]
) -> None:
    release(client, "c0", stamp=2)
    (held,) = assign(client, "other", fixed("10.0.0.0"), node="n1")
    assert found[0].release() == 0
    assert list(client.allocations()) == [held]
    found[0].close()


def test_what_was_released_between_the_steps_leaves_no_fence_against_its_return(
    client: moorage.Client, found: list[_Found]
) -> None:
    release(client, "c0", stamp=2)
    assert found[0].release() == 0
    assert assign(client, "c0", node="n1", stamp=3)
    found[0].close()


def test_a_list_waits_for_nobody_whom_it_does_not_release(
    client: moorage.Client, database: postgres.Database
) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    for container in ("c0", "c1"):
        assign(client, container, node="n1")
    with worked_on(database, "c0"):
        # Not even for the one that is worked on: it needs nothing.
        assert reconcile(client, "c0", "c1").confirmed_count == 2
        assert not reconcile(client, "c0").failures
