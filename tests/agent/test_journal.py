"""Releases that are kept: what is on the disk at any instant, and what becomes of what is torn."""

import errno
import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from moorage import attempts
from moorage.agent import journal
from moorage.agent.journal import Journal
from moorage.cni.release import Release


def release(container: str = "a", at: int = 1, **fields: str) -> Release:
    """A release whose DEL began at that time."""
    key = {"server": "s:1", "vrf": "default", "network": "pods", "interface": "eth0"}
    key |= {"container_id": container, "boot_id": "boot"}
    return Release(**(key | fields), boot_time_ns=at)


def test_what_is_kept_is_there_for_the_next_agent_oldest_first(tmp_path: Path) -> None:
    kept = Journal(tmp_path)
    for container in ("c", "a", "b"):
        kept.add(release(container))
    kept.remove(release("a"))
    assert Journal(tmp_path).oldest_first() == [release("c"), release("b")]


def test_everything_that_tells_releases_apart_does(tmp_path: Path) -> None:
    others = [
        release(),
        release(server="s:2"),
        release(vrf="other"),
        release(network="other"),
        release("b"),
        release(interface="eth1"),
    ]
    kept = Journal(tmp_path)
    for each in others:
        kept.add(each)
    assert Journal(tmp_path).oldest_first() == others


def test_of_two_of_one_attachment_the_later_stays(tmp_path: Path) -> None:
    kept = Journal(tmp_path)
    for at in (1, 3, 2):
        kept.add(release(at=at))
    assert kept.of(release()) == release(at=3)
    # The earlier one was on its way when the later one came.
    kept.remove(release(at=1))
    assert Journal(tmp_path).oldest_first() == [release(at=3)]
    kept.remove(release(at=3))
    assert Journal(tmp_path).oldest_first() == []


def test_of_two_boots_what_comes_is_the_later(tmp_path: Path) -> None:
    kept = Journal(tmp_path)
    kept.add(release(at=9, boot_id="before"))
    kept.add(release(at=1))
    assert kept.oldest_first() == [release(at=1)]


WHOLE = json.dumps(release("torn")._asdict()).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        WHOLE[:-1],
        b"\0" * len(WHOLE),
        b"\xff",
        b"[]",
        b"{}",
        WHOLE.replace(b'"boot"', b"7"),
        WHOLE.replace(b": 1,", b": true,"),
        WHOLE.replace(b": 1,", b': "1",'),
        WHOLE.replace(b": 1,", b": -1,"),
        WHOLE.replace(b": 1,", b": 9223372036854775808,"),
        WHOLE.replace(b'"boot"', b'"\\ud800"'),
        WHOLE.replace(b"}", b', "more": 1}'),
        b"[" * 100_000,
    ],
    ids=lambda content: repr(content[:10]),
)
def test_what_cannot_be_read_is_set_aside_with_a_warning(
    content: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Journal(tmp_path).add(release("sound"))
    torn = tmp_path / "torn.json"
    torn.write_bytes(content)
    with caplog.at_level(logging.WARNING, "moorage.agent"):
        kept = Journal(tmp_path)
    assert kept.oldest_first() == [release("sound")]
    assert [record.getMessage() for record in caplog.records] == [
        "set aside a release that cannot be read"
    ]
    assert (tmp_path / "torn.unreadable").read_bytes() == content
    caplog.clear()
    assert len(Journal(tmp_path)) == 1
    assert not caplog.records


def test_what_was_never_in_its_place_is_swept_away(tmp_path: Path) -> None:
    (tmp_path / ".x.json.new").write_bytes(WHOLE)
    assert len(Journal(tmp_path)) == 0
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_swept_away_is_left_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / ".x.new").mkdir()
    with caplog.at_level(logging.WARNING, "moorage.agent"):
        assert len(Journal(tmp_path)) == 0
    assert [record.getMessage() for record in caplog.records] == ["left it where it is"]


def test_a_file_under_another_name_is_removed_when_its_release_is_sent(tmp_path: Path) -> None:
    Journal(tmp_path).add(release())
    (proper,) = tmp_path.iterdir()
    proper.rename(tmp_path / "copy.json")
    kept = Journal(tmp_path)
    assert kept.oldest_first() == [release()]
    assert list(tmp_path.iterdir()) == [proper]
    kept.remove(release())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("later", ["proper", "copy"])
@pytest.mark.parametrize("written_last", ["proper", "copy"])
def test_of_two_files_of_one_attachment_the_later_release_stays(
    later: str, written_last: str, tmp_path: Path
) -> None:
    Journal(tmp_path).add(release())
    (proper,) = tmp_path.iterdir()
    paths = {"copy": tmp_path / "copy.json", "proper": proper}
    for at, name in enumerate(sorted(paths, key=lambda each: each == written_last)):
        fields = release(at=2 if name == later else 1)._asdict()
        paths[name].write_text(json.dumps(fields))
        os.utime(paths[name], ns=(at, at))
    kept = Journal(tmp_path)
    assert kept.oldest_first() == [release(at=2)]
    assert list(tmp_path.iterdir()) == [proper]
    assert Journal(tmp_path).oldest_first() == [release(at=2)]


def broken(path: Path) -> None:
    """Makes a file that is there and cannot be read, as on a bad disk: EIO."""
    path.symlink_to("/proc/self/mem")
    with pytest.raises(OSError, match="Input/output error"):
        path.read_bytes()


def test_what_cannot_be_read_now_is_read_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Journal(tmp_path).add(release("sound"))
    Journal(tmp_path).add(release("hidden"))
    hidden = next(each for each in tmp_path.iterdir() if b"hidden" in each.read_bytes())
    content = hidden.read_bytes()
    hidden.unlink()
    broken(hidden)
    with caplog.at_level(logging.WARNING, "moorage.agent"):
        kept = Journal(tmp_path)
        kept.read_again()
    assert kept.oldest_first() == [release("sound")]
    assert kept.has_unread()
    assert [record.getMessage() for record in caplog.records] == [
        "cannot read a release; tries again"
    ]
    assert not list(tmp_path.glob("*.unreadable"))
    hidden.unlink()
    hidden.write_bytes(content)
    kept.read_again()
    assert kept.oldest_first() == [release("sound"), release("hidden")]
    assert not kept.has_unread()


def test_what_is_read_late_is_not_taken_for_the_latest(tmp_path: Path) -> None:
    Journal(tmp_path).add(release(at=1))
    (path,) = tmp_path.iterdir()
    content = path.read_bytes()
    for name in (path.name, "copy.json"):
        path.unlink()
        broken(tmp_path / name)
        kept = Journal(tmp_path)
        kept.add(release(at=2))
        if name == "copy.json":
            (tmp_path / name).unlink()
            (tmp_path / name).write_bytes(content)
        kept.read_again()
        assert kept.oldest_first() == [release(at=2)]
        assert not kept.has_unread()
        assert list(tmp_path.iterdir()) == [path]


def test_what_is_read_late_of_an_earlier_boot_leaves_that_of_this_one(tmp_path: Path) -> None:
    stamp = attempts.stamp()
    assert stamp is not None
    Journal(tmp_path).add(release(at=9, boot_id="before"))
    (path,) = tmp_path.iterdir()
    content = path.read_bytes()
    path.unlink()
    broken(tmp_path / "copy.json")
    kept = Journal(tmp_path)
    kept.add(release(boot_id=stamp.boot_id))
    (tmp_path / "copy.json").unlink()
    (tmp_path / "copy.json").write_bytes(content)
    kept.read_again()
    for each in (kept, Journal(tmp_path)):
        assert each.oldest_first() == [release(boot_id=stamp.boot_id)]
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_of_which_the_disk_does_not_tell_the_age_ends_no_agent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for container in ("a", "b"):
        Journal(tmp_path).add(release(container))
    lstat = Path.lstat

    def fails(path: Path) -> os.stat_result:
        if b'"a"' in path.read_bytes():
            raise OSError(errno.EIO, os.strerror(errno.EIO), os.fspath(path))
        return lstat(path)

    monkeypatch.setattr(Path, "lstat", fails)
    assert Journal(tmp_path).oldest_first() == [release("a"), release("b")]


def test_what_is_gone_before_it_could_be_read_is_not_waited_for(tmp_path: Path) -> None:
    broken(tmp_path / "x.json")
    kept = Journal(tmp_path)
    (tmp_path / "x.json").unlink()
    kept.read_again()
    assert not kept.has_unread()


def test_more_than_it_can_keep_it_does_not_take_on(tmp_path: Path) -> None:
    kept = Journal(tmp_path, most=2)
    for container in ("a", "b"):
        kept.add(release(container))
    with pytest.raises(journal.Full, match="2 releases wait already"):
        kept.add(release("c"))
    kept.add(release("a", at=2))
    assert Journal(tmp_path).oldest_first() == [release("b"), release("a", at=2)]


def test_what_cannot_be_written_is_not_taken_on(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    folder.mkdir()
    kept = Journal(folder)
    folder.rmdir()
    with pytest.raises(FileNotFoundError):
        kept.add(release())
    assert len(kept) == 0


def test_what_is_sent_is_forgotten_although_its_file_cannot_be_removed(tmp_path: Path) -> None:
    kept = Journal(tmp_path)
    kept.add(release())
    (path,) = tmp_path.iterdir()
    path.unlink()
    path.mkdir()  # which no unlink removes
    kept.remove(release())
    assert len(kept) == 0


WRITER = """
import pathlib, sys
from moorage.agent.journal import Journal
from moorage.cni.release import Release
kept, at = Journal(pathlib.Path(sys.argv[1])), 0
while True:
    at += 1
    kept.add(Release(server="s", vrf="v", network="n", container_id=f"c{at % 7}", interface="e",
        boot_id="b", boot_time_ns=at))
    print(at, flush=True)
"""


def test_at_whatever_instant_it_is_killed_what_was_said_to_be_kept_is(tmp_path: Path) -> None:
    for kills in range(1, 6):
        folder = tmp_path / str(kills)
        folder.mkdir()
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, folder], stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout is not None
            for _ in range(5 * kills):
                last = int(writer.stdout.readline())
            writer.send_signal(signal.SIGKILL)
            last = max([last, *map(int, writer.stdout.read().split(b"\n")[:-1])])
        kept = {each.boot_time_ns for each in Journal(folder).oldest_first()}
        said = set(range(max(last - 6, 1), last + 1))
        # One more may have been written, in the place of the oldest, and not said.
        assert said - kept <= {last - 6}
        assert kept - said <= {last + 1}
        assert len(kept) == min(max(kept), 7)
        assert not list(folder.glob("*.unreadable"))
