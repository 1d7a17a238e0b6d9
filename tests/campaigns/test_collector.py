"""The collector never frees a live address, and finds every leak within two graces.

`make collector-campaign` walks a million steps; MOORAGE_COLLECTOR_STEPS says how many, and
MOORAGE_COLLECTOR_SEED which.
"""

import os

import pytest

import moorage
from campaigns.books import InMemory, Served
from campaigns.walk import Pace, Walk
from harness import postgres
from harness.calls import create_pool
from moorage_server.domain import identity, model

STEPS = int(os.environ.get("MOORAGE_COLLECTOR_STEPS", "20000"))
SEED = int(os.environ.get("MOORAGE_COLLECTOR_SEED", "1"))
PACES = {
    "all that is allowed": Pace(longest_add=530, oldest_list=60),
    "as usual": Pace(longest_add=60, oldest_list=10, margin=60),
    "containers that come back": Pace(returning=0.9, queue=60),
    "many reboots": Pace(reboot_every=900, start_every=6),
    "lists that take long": Pace(longest_add=240, oldest_list=350, margin=0, list_every=20),
}


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("pace", PACES.values(), ids=list(PACES))
def test_no_live_address_is_collected_and_every_leak_is_found(pace: Pace) -> None:
    walk = Walk(InMemory(1024), pace, SEED)
    walk.run(STEPS // len(PACES))
    print(f"{dict(walk.counts)}, slowest leak {walk.slowest} s, {walk.now // 3600} hours")
    assert walk.counts["collected"] > 0


def test_on_a_real_server_too(client: moorage.Client, database: postgres.Database) -> None:
    create_pool(client, "a", "10.0.0.0/20")
    pace = Pace(
        grace=60,
        longest_add=45,
        oldest_list=8,
        list_every=8,
        start_every=6,
        longest_life=60,
        reboot_every=100,
        margin=10,
        nodes=2,
    )
    walk = Walk(Served(client, database), pace, SEED)
    walk.run(300)
    assert walk.counts["collected"] > 0


def test_the_walk_notices_a_grace_that_is_too_short() -> None:
    pace = Pace(grace=300, longest_add=600, margin=0)
    with pytest.raises(AssertionError, match="and live"):
        Walk(InMemory(1024), pace, SEED).run(100_000)


def test_the_walk_notices_a_release_that_is_not_decided_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def hasty(
        request: model.ReleaseRequest, record: identity.Record | None
    ) -> tuple[model.Allocation, ...]:
        return record.allocations if record else ()

    monkeypatch.setattr(identity, "releasable", hasty)
    with pytest.raises(AssertionError, match="and live"):
        Walk(InMemory(1024), Pace(returning=0.9, queue=200), SEED).run(100_000)


def test_the_walk_notices_a_leak_that_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "releasable", lambda *_: ())
    with pytest.raises(AssertionError, match="not found"):
        Walk(InMemory(1024), Pace(), SEED).run(20_000)
