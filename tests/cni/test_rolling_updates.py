"""Pods that are replaced, through the plugin: what the next one gets, when, and what is told of it.

A replacement is another pod, with another uid and mostly on another node.
"""

import concurrent.futures
import time

import pytest

from cni.fleet import ADDRS, OWNER, STICKY, WAIT, Fleet, Sandbox
from ctl import program as moorctl
from harness import postgres, serving, waits
from harness.calls import create_pool
from harness.reconciling import pass_time
from moorage.v1 import resources_pb2

pytestmark = pytest.mark.usefixtures("host")

FIXED = {ADDRS: '["10.0.0.7"]'}
YIELD = resources_pb2.COOLDOWN_POLICY_YIELD


def web(ordinal: int, version: int, **annotations: str) -> Sandbox:
    """A pod of the StatefulSet "web", which keeps its address and waits for it."""
    return Sandbox(
        container=f"web-{ordinal}-v{version}",
        pod=f"web-{ordinal}",
        uid=f"u-{ordinal}-v{version}",
        node=f"n{version}",
        annotations={OWNER: f"web-{ordinal}", STICKY: "1h", WAIT: "60s"} | annotations,
    )


def app(number: int) -> Sandbox:
    """A pod of a Deployment: no other is of its name."""
    return Sandbox(container=f"app-{number}", pod=f"app-{number}", uid=f"u-app-{number}")


def test_a_pod_waits_for_the_fixed_address_of_the_one_it_replaces(
    fleet: Fleet, waiting: waits.Watch, threads: concurrent.futures.ThreadPoolExecutor
) -> None:
    create_pool(fleet.client, "a", "10.0.0.0/24")
    old = Sandbox(container="old", uid="u1", annotations=FIXED)
    new = Sandbox(container="new", uid="u2", node="n2", annotations=FIXED | {WAIT: "10s"})
    assert fleet.add(old, installed=True) == "10.0.0.7"
    adding = threads.submit(fleet.add, new, installed=True)
    waiting.see()
    assert not adding.done()
    fleet.delete(old, installed=True)
    gone = time.monotonic()
    assert adding.result() == "10.0.0.7"
    assert time.monotonic() - gone < 5, "it was not woken, its wait has ended"
    assert fleet.held() == {"10.0.0.7": "new"}
    assert fleet.story("10.0.0.7") == ["old REQUESTED", "new"]


def test_without_a_wait_it_is_refused_until_the_one_it_replaces_is_gone(fleet: Fleet) -> None:
    create_pool(fleet.client, "a", "10.0.0.0/24")
    old = Sandbox(container="old", uid="u1", annotations=FIXED)
    new = Sandbox(container="new", uid="u2", node="n2", annotations=FIXED)
    fleet.add(old, installed=True)
    said = fleet.refused(new)
    assert said.startswith("103 ")
    assert "ADDRESS_IN_USE: held by another attachment: 10.0.0.7" in said
    assert f'annotation "{ADDRS}" of pod shop/web-0 with value' in said
    assert fleet.held() == {"10.0.0.7": "old"}
    fleet.delete(old, installed=True)
    assert fleet.add(new) == "10.0.0.7"
    assert fleet.story("10.0.0.7") == ["old REQUESTED", "new"]


def test_where_the_node_is_lost_its_empty_list_frees_what_the_replacement_waits_for(
    fleet: Fleet, database: postgres.Database
) -> None:
    create_pool(fleet.client, "a", "10.0.0.0/24")
    lost = Sandbox(container="lost", uid="u1", annotations=FIXED)
    new = Sandbox(container="new", uid="u2", node="n2", annotations=FIXED | {WAIT: "1s"})
    other = Sandbox(container="other", pod="db-0", uid="u3", node="n3")
    assert fleet.add(other) == "10.0.0.0"
    fleet.add(lost, installed=True)
    began = time.monotonic()
    assert "ADDRESS_IN_USE" in fleet.refused(new)
    assert time.monotonic() - began > 0.9, "it did not wait"
    suspected = fleet.client.reconcile_node("n1", [], network="pods", grace=0)
    assert [each.address for each in suspected.suspects] == ["10.0.0.7"]
    assert fleet.held() == {"10.0.0.0": "other", "10.0.0.7": "lost"}
    pass_time(database, 1)
    freed = fleet.client.reconcile_node("n1", [], network="pods", grace=0)
    assert [each.address for each in freed.released] == ["10.0.0.7"]
    assert fleet.add(new) == "10.0.0.7"
    # The node comes back after all, and with it the DEL.
    fleet.delete(lost, installed=True)
    assert fleet.held() == {"10.0.0.0": "other", "10.0.0.7": "new"}
    assert fleet.story("10.0.0.7") == ["lost RECONCILED", "new"]


def test_an_owner_finds_its_address_again_on_another_node_until_it_is_given_up(
    fleet: Fleet, server: serving.Serving
) -> None:
    create_pool(fleet.client, "a", "10.0.0.0/29")
    assert fleet.add(web(0, 1), installed=True) == "10.0.0.0"
    fleet.delete(web(0, 1), installed=True)
    for number in range(10):
        fleet.add(app(number))
        fleet.delete(app(number))
    rest = [fleet.add(app(10 + number)) for number in range(7)]
    assert "10.0.0.0" not in rest
    said = fleet.refused(app(20))
    assert said.startswith("104 ")
    assert "1 kept for their owners" in said
    assert fleet.add(web(0, 2)) == "10.0.0.0"
    fleet.delete(web(0, 2))
    give_up = moorctl.Moorctl(variables={"MOORAGE_SERVER": server.target})
    assert give_up("sticky", "delete", "10.0.0.0").code == 0
    assert fleet.add(app(20)) == "10.0.0.0"
    assert "POOL_EXHAUSTED" in fleet.refused(web(0, 3))
    assert len(fleet.held()) == 8
    assert fleet.story("10.0.0.0") == ["web-0-v1 REQUESTED", "web-0-v2 REQUESTED", "app-20"]


def test_every_ordinal_keeps_its_address_in_a_rolling_update_of_a_full_pool(
    fleet: Fleet, waiting: waits.Watch, threads: concurrent.futures.ThreadPoolExecutor
) -> None:
    create_pool(fleet.client, "a", "10.0.0.0/29", excluded_ranges=["10.0.0.5-10.0.0.7"])
    before = [fleet.add(web(ordinal, 1)) for ordinal in range(5)]
    assert len(set(before)) == 5
    assert fleet.client.get_pool_usage("a").counts.available_count == 0
    for ordinal in reversed(range(5)):
        old, new = web(ordinal, 1), web(ordinal, 2)
        adding = threads.submit(fleet.add, new, installed=ordinal == 0)
        waiting.see()
        fleet.delete(old, installed=ordinal == 0)
        assert adding.result() == before[ordinal]
    assert fleet.held() == {before[n]: f"web-{n}-v2" for n in range(5)}
    for ordinal, address in enumerate(before):
        assert fleet.story(address) == [f"web-{ordinal}-v1 REQUESTED", f"web-{ordinal}-v2"]


def test_ordinals_that_are_all_replaced_at_once_keep_theirs_and_nobody_gets_in_between(
    fleet: Fleet, waiting: waits.Watch, threads: concurrent.futures.ThreadPoolExecutor
) -> None:
    create_pool(fleet.client, "a", "10.0.0.0/30")
    before = [fleet.add(web(ordinal, 1)) for ordinal in range(4)]
    adding = [threads.submit(fleet.add, web(ordinal, 2)) for ordinal in range(4)]
    waiting.see(4)
    for ordinal in (2, 0, 3, 1):
        fleet.delete(web(ordinal, 1))
        assert "POOL_EXHAUSTED" in fleet.refused(app(ordinal))
    assert [each.result() for each in adding] == before
    assert fleet.held() == {before[n]: f"web-{n}-v2" for n in range(4)}
    for ordinal, address in enumerate(before):
        assert fleet.story(address) == [f"web-{ordinal}-v1 REQUESTED", f"web-{ordinal}-v2"]


def test_a_surge_pod_has_the_address_of_one_that_was_deleted(fleet: Fleet) -> None:
    create_pool(fleet.client, "a", "10.0.0.0/31")
    assert fleet.add(app(1), installed=True) == "10.0.0.0"
    fleet.add(app(2))
    assert fleet.refused(app(3)).startswith("104 ")
    fleet.delete(app(1), installed=True)
    assert fleet.add(app(3)) == "10.0.0.0"
    assert "POOL_EXHAUSTED" in fleet.refused(app(4))
    assert fleet.held() == {"10.0.0.0": "app-3", "10.0.0.1": "app-2"}
    assert fleet.story("10.0.0.0") == ["app-1 REQUESTED", "app-3"]


def test_a_surge_pod_is_told_to_come_again_while_what_was_deleted_cools_down(
    fleet: Fleet, database: postgres.Database
) -> None:
    create_pool(fleet.client, "a", "10.0.0.0/31", cooldown_seconds=60)
    for number in (1, 2):
        fleet.add(app(number), installed=number == 1)
    assert fleet.refused(app(3)).startswith("104 ")
    fleet.delete(app(1), installed=True)
    said = fleet.refused(app(3))
    assert said.startswith("11 ")
    assert "POOL_COOLING" in said
    pass_time(database, 62)
    assert fleet.add(app(3)) == "10.0.0.0"
    assert fleet.held() == {"10.0.0.0": "app-3", "10.0.0.1": "app-2"}
    assert fleet.story("10.0.0.0") == ["app-1 REQUESTED", "app-3"]


def test_a_pool_that_yields_gives_a_surge_pod_what_was_released_longest_ago(
    fleet: Fleet, database: postgres.Database
) -> None:
    create_pool(fleet.client, "a", "10.0.0.0/31", cooldown_seconds=60, cooldown_policy=YIELD)
    for number in (1, 2):
        fleet.add(app(number), installed=number == 1)
    fleet.delete(app(2))
    pass_time(database, 1)  # what goes within one second goes at the same time
    fleet.delete(app(1), installed=True)
    assert fleet.add(app(3)) == "10.0.0.1"
    assert fleet.client.get_allocation("10.0.0.1").yielded
    assert fleet.held() == {"10.0.0.1": "app-3"}
    assert fleet.story("10.0.0.1") == ["app-2 REQUESTED", "app-3"]
    told = [each.allocation.yielded for each in fleet.client.history()]
    assert told == [False, False, True]
