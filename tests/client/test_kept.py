"""A mirror in a file goes on from there, wherever its program was killed."""

import contextlib
import logging
import os
import pathlib
from collections.abc import Iterator

import pytest

import moorage
from harness import postgres
from harness.calls import assign, create_pool, release
from moorage import kept, mirror
from moorage.v1 import history_pb2, resources_pb2

OPERATIONS = 4  # of a save: a sync, a rename, another sync, and the end
RENAME = 1


Copies = Iterator[mirror.Mirror]


class Crash(BaseException):
    """The program is killed."""


@contextlib.contextmanager
def following(
    client: moorage.Client, path: pathlib.Path, *, anew: bool = False
) -> Iterator[Copies]:
    """What `kept.follow` yields, until the end of the test."""
    with contextlib.closing(kept.follow(client, path, timeout=20, anew=anew)) as copies:
        yield copies


def held(client: moorage.Client) -> dict[str, int]:
    """What the server says."""
    return {each.address: each.generation for each in client.allocations()}


def known(copy: mirror.Mirror) -> dict[str, int]:
    """What a mirror says."""
    return {each.address: each.generation for each in copy.allocations.values()}


def until(copies: Copies, expected: dict[str, int]) -> mirror.Mirror:
    """The mirror once it knows what is expected."""
    return next(each for each in copies if known(each) == expected)


@pytest.fixture(autouse=True)
def _pool(client: moorage.Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "moorage.kept")
    create_pool(client, "a", "10.0.0.0/24")


def test_what_was_saved_comes_first_and_then_what_has_changed_since(
    client: moorage.Client, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    assign(client, "c1")
    before = held(client)
    with following(client, tmp_path / "held") as copies:
        until(copies, before)
    assign(client, "c2")
    release(client, "c1")
    caplog.clear()
    with following(client, tmp_path / "held") as copies:
        first = next(copies)
        assert first.cursor is not None
        resumed = first.cursor.revision
        assert known(first) == before
        last = until(copies, held(client))
        assert kept.load(tmp_path / "held").cursor == last.cursor  # saved first
    assert caplog.messages == [f"resuming behind revision {resumed}"]


def test_anew_begins_with_a_snapshot_whatever_was_saved(
    client: moorage.Client, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "held"
    path.write_text("something else")
    with following(client, path, anew=True) as copies:
        assert known(next(copies)) == {}
    assert caplog.messages == ["beginning with a snapshot"]
    assert kept.load(path).cursor is not None


@pytest.mark.parametrize("operation", range(OPERATIONS))
def test_a_crash_at_any_step_of_a_save_loses_nothing(
    client: moorage.Client,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    operation: int,
) -> None:
    path = tmp_path / "held"
    assign(client, "c1")
    before = held(client)
    with following(client, path) as copies:
        until(copies, before)
        assign(client, "c2")
        with monkeypatch.context() as patched, contextlib.suppress(Crash):
            _crash_at(patched, operation)
            next(copies)
    is_replaced = operation > RENAME
    assert known(kept.load(path)) == (held(client) if is_replaced else before)
    caplog.clear()
    with following(client, path) as copies:
        until(copies, held(client))
    assert "beginning with a snapshot" not in caplog.messages


def _crash_at(patched: pytest.MonkeyPatch, operation: int) -> None:
    """Crashes instead of the file operation of this number."""
    left = [operation]

    def counted(name: str, owner: object) -> None:
        real = getattr(owner, name)

        def called(*arguments: object) -> object:
            left[0] -= 1
            if left[0] < 0:
                raise Crash
            return real(*arguments)

        patched.setattr(owner, name, called)

    counted("fsync", os)
    counted("replace", pathlib.Path)


def test_a_lost_cursor_is_reported_and_everything_known_replaced(
    client: moorage.Client,
    database: postgres.Database,
    tmp_path: pathlib.Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assign(client, "c1")
    with following(client, tmp_path / "held") as copies:
        until(copies, held(client))
        old = kept.load(tmp_path / "held").cursor
    database.execute("UPDATE vrfs SET epoch = gen_random_uuid()")
    release(client, "c1")
    caplog.clear()
    with following(client, tmp_path / "held") as copies:
        next(copies)
        last = until(copies, {})
    assert caplog.messages[-1] == "beginning with a snapshot"
    assert old is not None
    assert last.cursor is not None
    assert last.cursor.epoch != old.epoch
    assert kept.load(tmp_path / "held").cursor == last.cursor


def test_a_file_that_is_no_saved_mirror_is_refused(tmp_path: pathlib.Path) -> None:
    for content in (b"", b"something else", b"\x1a\x00"):
        (tmp_path / "held").write_bytes(content)
        with pytest.raises(kept.Unreadable, match="held is not what was saved there"):
            kept.load(tmp_path / "held")


def test_a_mirror_of_what_has_no_name_is_refused(tmp_path: pathlib.Path) -> None:
    saved = history_pb2.WatchAllocationsResponse(
        held=[resources_pb2.Allocation(name="x")], cursor=history_pb2.Cursor(epoch="e", revision=1)
    )
    (tmp_path / "held").write_bytes(saved.SerializeToString())
    with pytest.raises(kept.Unreadable, match="is of another VRF"):
        kept.load(tmp_path / "held")


def test_a_mirror_of_another_vrf_is_refused(client: moorage.Client, tmp_path: pathlib.Path) -> None:
    assign(client, "c1")
    with following(client, tmp_path / "held") as copies:
        until(copies, held(client))
    with pytest.raises(kept.Unreadable, match="is of another VRF than blue"):
        kept.load(tmp_path / "held", vrf="blue")
