"""moorctl export takes as much memory for a large VRF as for a small one, but a few pieces."""

import os
import pathlib
from collections.abc import Iterator

import pytest

import moorage
from ctl import estates, program
from harness import calls, large_vrfs, postgres, serving

SPARE = 48 * 1024  # KiB; as Python objects all of it would be several hundred thousand


@pytest.fixture
def broken(cluster: postgres.Postgres) -> Iterator[serving.Serving]:
    """A server on a database that need not be whole at the end."""
    with cluster.database() as database, serving.in_process(database) as server:
        yield server


def peak(server: serving.Serving, path: pathlib.Path) -> int:
    """How much memory an export took, in KiB."""
    environment = {**os.environ, "MOORAGE_SERVER": server.target}
    words = [str(program.PROGRAM), "export", str(path)]
    pid = os.posix_spawn(words[0], words, environment)
    _, status, usage = os.wait4(pid, 0)
    assert status == 0
    return usage.ru_maxrss


def test_an_export_takes_as_much_memory_as_a_piece_of_it(
    broken: serving.Serving, tmp_path: pathlib.Path
) -> None:
    with moorage.Client(broken.target) as client:
        calls.create_pool(client, "web", "10.0.0.0/8", block_size=22)
    small = peak(broken, tmp_path / "small.jsonl")
    large_vrfs.fill(broken.database)
    large = peak(broken, tmp_path / "large.jsonl")
    counts = estates.lines_of(tmp_path / "large.jsonl")[-1]["counts"]
    assert isinstance(counts, dict)
    assert counts["Allocation"] == large_vrfs.COUNT
    assert large < small + SPARE, (small, large)
