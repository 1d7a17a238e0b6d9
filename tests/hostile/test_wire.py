"""Peers that do not speak as they should: whoever does goes on, and memory is bounded."""

from collections.abc import Iterator

import pytest

import moorage
from harness import calls, postgres
from hostile import peers
from hostile import stage as stages

# Most of it goes to four peers whose headers expand: gRPC lets them, and then refuses them.
MOST_GROWN = 192 << 20
CALLS = 20  # of a normal caller, while the peer is at it


@pytest.fixture(scope="module")
def stage(
    cluster: postgres.Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[stages.Stage]:
    folder = tmp_path_factory.mktemp("hostile")
    with cluster.database() as database, stages.on_stage(database, folder) as made:
        with moorage.Client(made.target) as client:
            calls.create_pool(client, "web", "10.0.0.0/16")
            calls.assign(client, "warm")
        yield made


@pytest.mark.parametrize("name", peers.WAYS)
def test_others_go_on_beside_a_peer(stage: stages.Stage, name: str) -> None:
    before = stage.memory()
    with (
        peers.spoken(stage.target, peers.WAYS[name]),
        moorage.Client(stage.target, timeout=30) as client,
    ):
        for number in range(CALLS):
            calls.assign(client, f"{name}-{number}")
            calls.release(client, f"{name}-{number}")
    assert stage.memory() - before < MOST_GROWN
    said = stage.said()
    assert not [line for line in said if "Traceback" in line or '"fault"' in line]


def test_others_go_on_beside_a_crowd_that_says_nothing(stage: stages.Stage) -> None:
    before = stage.memory()
    with (
        peers.spoken(stage.target, lambda _: None, 500),
        moorage.Client(stage.target, timeout=30) as client,
    ):
        for number in range(CALLS):
            calls.assign(client, f"quiet-{number}")
    assert stage.memory() - before < MOST_GROWN
