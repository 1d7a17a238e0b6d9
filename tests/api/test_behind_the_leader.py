"""Who is behind the database that leads says nothing of what he lacks: it is not lost."""

import pathlib
from collections.abc import Callable, Iterator

import pytest

import moorage
from harness import calls, durable, eventually, postgres, serving
from moorage import positions
from moorage.v1 import history_pb2, resources_pb2
from moorage_server.api import backward

# What is told of what is not known yet; the second, where a later try still waits for the first.
UNKNOWN = {"DATABASE_UNAVAILABLE", "OUTCOME_UNKNOWN"}


@pytest.fixture
def database(tmp_path: pathlib.Path) -> Iterator[postgres.Database]:
    """One whose PostgreSQL is its own."""
    with durable.database(tmp_path / "state") as own:
        yield own


def watched(target: str, position: resources_pb2.FeedPosition) -> None:
    cursor = history_pb2.Cursor(epoch=position.epoch, revision=position.revision)
    with (
        moorage.Client(target) as client,
        client.watch(cursor=cursor, timeout=2) as updates,
    ):
        next(updates)


def assigned(target: str, position: resources_pb2.FeedPosition) -> None:
    seen = positions.Seen()
    seen.note("vrfs/default", position)
    with moorage.Client(target, seen=seen, timeout=2) as client:
        calls.assign(client, "c2")


@pytest.mark.parametrize(
    ("ask", "reason"), [(watched, "CURSOR_UNKNOWN"), (assigned, "VRF_QUARANTINED")]
)
def test_nobody_is_told_that_it_went_back_until_that_is_committed(
    database: postgres.Database,
    monkeypatch: pytest.MonkeyPatch,
    ask: Callable[[str, resources_pb2.FeedPosition], None],
    reason: str,
) -> None:
    monkeypatch.setattr(backward, "TIME", 0.5)
    seen = positions.Seen()
    with (
        serving.in_process(database) as server,
        moorage.Client(server.target, seen=seen) as client,
    ):
        calls.create_pool(client, "a", "10.0.0.0/24")
        calls.assign(client, "c1")
        ahead = seen.of("vrfs/default")
        assert ahead is not None
        ahead.revision += 1000
        with durable.left_by_all(database):
            assert refused(lambda: ask(server.target, ahead)) in UNKNOWN
        eventually.until(lambda: refused(lambda: ask(server.target, ahead)) == reason)


def refused(ask: Callable[[], None]) -> str:
    """Why."""
    with pytest.raises(moorage.MoorageError) as raised:
        ask()
    return raised.value.reason
