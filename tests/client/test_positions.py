"""How far a server's history had come is kept in memory, and in files where there is a folder."""

import pathlib

import pytest

from moorage import positions
from moorage.v1 import resources_pb2

VRF = "vrfs/default"


def at(revision: int, epoch: str = "e") -> resources_pb2.FeedPosition:
    """A position of one history, unless told otherwise."""
    return resources_pb2.FeedPosition(epoch=epoch, revision=revision)


def test_the_newest_of_a_history_stays_and_another_history_replaces_it() -> None:
    seen = positions.Seen()
    assert seen.of(VRF) is None
    for told, kept in ((at(3), at(3)), (at(2), at(3)), (at(1, "f"), at(1, "f"))):
        seen.note(VRF, told)
        assert seen.of(VRF) == kept
    seen.note(VRF, resources_pb2.FeedPosition())  # of a server that says nothing
    assert seen.of(VRF) == at(1, "f")
    assert seen.of("vrfs/other") is None


def test_another_process_knows_it_by_server_and_vrf(tmp_path: pathlib.Path) -> None:
    positions.Kept(str(tmp_path), "ipam:7711").note(VRF, at(3))
    assert positions.Kept(str(tmp_path), "ipam:7711").of(VRF) == at(3)
    assert positions.Kept(str(tmp_path), "other:7711").of(VRF) is None
    assert positions.Kept(str(tmp_path), "ipam:7711").of("vrfs/other") is None
    assert len(list(tmp_path.iterdir())) == 1


def test_a_server_of_any_name_has_a_file(tmp_path: pathlib.Path) -> None:
    server = "unix:///run/" + "long/" * 100
    positions.Kept(str(tmp_path), server).note(VRF, at(3))
    assert positions.Kept(str(tmp_path), server).of(VRF) == at(3)


@pytest.mark.parametrize("content", [b"", b"e", b"e x\n", b"\xff\xfe 3", b"e 3 4"])
def test_a_file_that_was_cut_off_says_nothing(tmp_path: pathlib.Path, content: bytes) -> None:
    kept = positions.Kept(str(tmp_path), "ipam")
    kept.note(VRF, at(3))
    (file,) = tmp_path.iterdir()
    file.write_bytes(content)
    fresh = positions.Kept(str(tmp_path), "ipam")
    assert fresh.of(VRF) is None
    fresh.note(VRF, at(4))
    assert positions.Kept(str(tmp_path), "ipam").of(VRF) == at(4)


def test_without_the_folder_it_is_kept_in_memory_alone(tmp_path: pathlib.Path) -> None:
    kept = positions.Kept(str(tmp_path / "absent"), "ipam")
    kept.note(VRF, at(3))
    assert kept.of(VRF) == at(3)
    assert list(tmp_path.iterdir()) == []
