"""A file that is not a whole export of this version is refused before the server is asked."""

import hashlib
import json
import pathlib
from collections.abc import Callable

import pytest

from ctl import program
from moorage.ctl import exits, export_lines
from moorage.v1 import admin_service_pb2, resources_pb2

Lines = list[bytes]


@pytest.fixture
def lines() -> Lines:
    """Those of an export, of a VRF in which there is something of everything."""
    path = pathlib.Path(__file__).parents[1] / "fuzz" / "corpus" / "exports" / "all"
    return path.read_bytes().splitlines(keepends=True)


def sealed(lines: Lines) -> Lines:
    """Lines that somebody has changed, with a last line that agrees with them."""
    end = json.loads(lines[-1])
    end["sha256"] = hashlib.sha256(b"".join(lines[:-1])).hexdigest()
    return [*lines[:-1], json.dumps(end).encode() + b"\n"]


def with_line(number: int, old: bytes, new: bytes) -> Callable[[Lines], Lines]:
    """Replaces something in one line, and seals the file."""

    def change(lines: Lines) -> Lines:
        assert old in lines[number - 1]
        lines[number - 1] = lines[number - 1].replace(old, new)
        return sealed(lines)

    return change


SPOILED: dict[str, tuple[Callable[[Lines], Lines], str]] = {
    "empty": (lambda _: [], "line 1: is not JSON"),
    "something else": (lambda _: [b'{"kind": "List"}\n'], "line 1: is not the first one"),
    "cut off behind a line": (
        lambda lines: lines[:-1],
        "line 17: is the last one, and not the end",
    ),
    "cut off within a line": (
        lambda lines: [*lines[:9], lines[9][:30]],
        "line 10: is not JSON: Unterminated string",
    ),
    "a line that is missing": (lambda lines: [*lines[:9], *lines[10:]], "line 17: counts: are"),
    "a value that was changed": (
        lambda lines: [line.replace(b'"rack":"4"', b'"rack":"5"') for line in lines],
        "line 18: sha256: is another: the file was changed since",
    ),
    "a newer version": (
        with_line(1, b'"version":1', b'"version":2'),
        "line 1: tells version 2 of the format, and this moorctl knows 1; take a newer one",
    ),
    "garbage": (lambda lines: [*lines[:4], b"\xff\x00\n", *lines[5:]], "line 5: is not JSON"),
    "a kind that is not known": (
        with_line(9, b'"Block"', b'"Brick"'),
        "line 9: kind: must be one of Vrf, Node, Pool,",
    ),
    "an address outside of every pool": (
        with_line(13, b"10.0.0.5", b"10.5.0.5"),
        "line 13: address: 10.5.0.5 lies in no pool that stands before",
    ),
    "an address twice": (
        with_line(13, b"10.0.0.5", b"10.0.0.0"),
        "line 13: 10.0.0.0 stands in standard input, line 12 as well",
    ),
    "a field that is not known": (
        with_line(13, b'"containerId"', b'"container"'),
        "line 13: attachment.container: is not a field of Attachment",
    ),
    "a pool with an impossible gateway": (
        with_line(6, b"10.0.0.1", b"10.0.0.x"),
        "line 6: spec: is not that of a pool",
    ),
    "lines behind the end": (
        lambda lines: [*lines, lines[-2]],
        "line 19: comes behind the end",
    ),
}


def test_the_file_is_good_without_being_spoiled(lines: Lines) -> None:
    assert sealed(lines)[:-1] == lines[:-1]
    assert json.loads(sealed(lines)[-1]) == json.loads(lines[-1])
    assert len(lines) == 18


@pytest.mark.parametrize("what", SPOILED)
def test_a_spoiled_file_is_refused_with_its_line(
    offline: program.Moorctl, lines: Lines, what: str
) -> None:
    spoil, expected = SPOILED[what]
    content = b"".join(spoil(lines))
    ended = offline("--vrf", "blue", "import", "moorage", "-", "--apply", stdin=content)
    assert ended.code == exits.Exit.USAGE
    assert f"standard input, {expected}" in ended.err, ended.err
    assert "nothing was changed" in ended.err


def test_the_same_is_written_the_same() -> None:
    labels = {key: key for key in "hgfedcba"}
    part = admin_service_pb2.ExportVrfResponse(
        vrf=resources_pb2.Vrf(name="vrfs/blue", labels=labels),
        nodes=[resources_pb2.Node(name="vrfs/blue/nodes/n1", labels=labels)],
        pools=[resources_pb2.Pool(name="vrfs/blue/pools/web", labels=labels)],
        allocations=[resources_pb2.Allocation(address="10.0.0.1", labels=labels)],
    )
    for line in export_lines.Sheet().lines(part):
        # Protobuf lists a map otherwise in each process.
        told = json.loads(line)
        assert list(told.get("metadata", told)["labels"]) == sorted(labels)


def test_what_is_told_of_a_file_stays_short(offline: program.Moorctl, lines: Lines) -> None:
    content = lines[0] + lines[1] + b"garbage\n" * 1000
    ended = offline("--vrf", "blue", "import", "moorage", "-", stdin=content)
    assert ended.code == exits.Exit.USAGE
    assert len(ended.err.splitlines()) < 30


def test_a_file_that_is_not_there_is_refused(offline: program.Moorctl) -> None:
    ended = offline("import", "moorage", "nowhere.jsonl")
    assert ended.code == exits.Exit.USAGE
    assert "cannot read nowhere.jsonl" in ended.err
