"""moorctl export takes as much memory for a large VRF as for a small one, but a few pieces; and an
import refuses a line without an end before it has read it.
"""

import os
import pathlib
from collections.abc import Iterator

import pytest

import moorage
from ctl import estates, program
from harness import calls, large_vrfs, postgres, serving
from moorage.ctl import exits

SPARE = 48 * 1024  # KiB; as Python objects all of it would be several hundred thousand


@pytest.fixture
def broken(cluster: postgres.Postgres) -> Iterator[serving.Serving]:
    """A server on a database that need not be whole at the end."""
    with cluster.database() as database, serving.in_process(database) as server:
        yield server


def peak(server: serving.Serving, *arguments: str, code: int = 0) -> int:
    """How much memory a command took, in KiB."""
    environment = {**os.environ, "MOORAGE_SERVER": server.target}
    words = [str(program.PROGRAM), *arguments]
    pid = os.posix_spawn(words[0], words, environment)
    _, status, usage = os.wait4(pid, 0)
    assert os.waitstatus_to_exitcode(status) == code
    return usage.ru_maxrss


def test_an_export_takes_as_much_memory_as_a_piece_of_it(
    broken: serving.Serving, tmp_path: pathlib.Path
) -> None:
    with moorage.Client(broken.target) as client:
        calls.create_pool(client, "web", "10.0.0.0/8", block_size=22)
    small = peak(broken, "export", str(tmp_path / "small.jsonl"))
    large_vrfs.fill(broken.database)
    large = peak(broken, "export", str(tmp_path / "large.jsonl"))
    counts = estates.lines_of(tmp_path / "large.jsonl")[-1]["counts"]
    assert isinstance(counts, dict)
    assert counts["Allocation"] == large_vrfs.COUNT
    assert large < small + SPARE, (small, large)


def test_a_line_without_an_end_is_not_read_to_its_end(
    broken: serving.Serving, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "endless.jsonl"
    peak(broken, "export", str(path))
    small = peak(broken, "import", "moorage", str(path))
    os.truncate(path, 1 << 29)
    large = peak(broken, "import", "moorage", str(path), code=exits.Exit.USAGE)
    assert large < small + 2 * SPARE, (small, large)
