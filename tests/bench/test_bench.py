"""The benchmark program as `make bench` runs it, too short for its figures to mean anything."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[2]
SHORT = ("--quick", "--rounds", "1", "--seconds", "0.1")
CALLERS = ("1", "16", "64")
CALLS = (
    "empty call",
    "insert commit",
    "assign, no affinity",
    "release, no affinity",
    "assign, node affinity, 16 nodes",
    "release, node affinity, 16 nodes",
    "refused assign, pool full",
)


def test_a_short_run_fills_every_table_and_finds_no_address_held_twice(
    tmp_path: pathlib.Path,
) -> None:
    output = tmp_path / "results" / "latest.md"
    command = [sys.executable, "-m", "bench", *SHORT, "--output", str(output)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert output.read_text() == run.stdout
    assert "no address was held twice" in run.stdout
    rows = _rows(run.stdout)
    _check_calls([row for row in rows if len(row) == 10])
    _check_fills([row for row in rows if len(row) == 4])
    _check_watches([row for row in rows if len(row) == 9])


def _check_calls(rows: list[list[str]]) -> None:
    assert [tuple(row[:2]) for row in rows] == [(n, call) for n in CALLERS for call in CALLS]
    for row in rows:
        assert all(float(ratio) >= 0 for ratio in row[2:4])
        rate, p50, p99 = map(float, row[4:7])
        assert rate > 0
        assert 0 < p50 <= p99
        assert all(cpu.isdigit() for cpu in row[7:])


def _check_fills(rows: list[list[str]]) -> None:
    assert [row[0] for row in rows] == ["0 %", "50 %", "99 %"]
    assert all(float(cell) > 0 for row in rows for cell in row[1:])


def _check_watches(rows: list[list[str]]) -> None:
    assert [row[:2] for row in rows] == [["100", "a quiet node each"]]
    assert all(float(cell) >= 0 for row in rows for cell in row[2:])


def _rows(page: str) -> list[list[str]]:
    """The cells of all tables, without their heads."""
    lines = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    heads = {at - 1 for at, line in enumerate(lines) if set(line) == {"---"}}
    return [line for at, line in enumerate(lines) if at not in heads and set(line) != {"---"}]
