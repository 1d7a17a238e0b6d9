"""`make demo`: what it shows is right, and it would say so if it were not."""

import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHOWN = (
    'ADD default/web-0 ipv4pools=["web"]',
    "ADD shop/cart-0\n",
    'ADD shop/cart-1 ipv4pools=["web"]',
    'ADD default/db-0 ipAddrs=["10.65.0.77"]',
    "ADD default/job-0\n",
    'ADD default/partner-0 ipv4pools=["partners"]',
    'ADD default/scan-1 ipv4pools=["tiny"]',
    "POOL_EXHAUSTED",
    'ADD default/printer-0 ipAddrs=["10.69.0.0"]',
    'ADD default/dual-0 ipFamilies=["IPv4", "IPv6"]',
    "DEL default/dual-0",
    "s after the start of this program",
    "moorctl get allocations -o wide",
    "10.69.0.0/32   tiny",
)


def run(examples: pathlib.Path, temporary: pathlib.Path) -> subprocess.CompletedProcess[str]:
    """Runs the demo to its end; what it throws away lies in a directory of the test's."""
    command = [sys.executable, "scripts/demo.py", "--examples", str(examples)]
    own = {key: value for key, value in os.environ.items() if not key.startswith("MOORAGE_")}
    environment = {**own, "TMPDIR": str(temporary)}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def test_the_demo_shows_every_constraint_and_leaves_nothing_behind(
    tmp_path: pathlib.Path,
) -> None:
    done = run(ROOT / "examples", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert [text for text in SHOWN if text not in done.stdout] == []
    assert done.stdout.endswith("Every outcome is right.\n")
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_outcome_is_shown_and_fails(tmp_path: pathlib.Path) -> None:
    manifests = tmp_path / "manifests"
    shutil.copytree(ROOT / "examples", manifests)
    (manifests / "reservations.yaml").unlink()
    done = run(manifests, tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    # Unreserved, the first address goes to the first pod, and is not there for the one that asks.
    assert "WRONG, expected: inside 10.69.0.1\n" in done.stdout
    assert "WRONG, expected: POOL_EXHAUSTED\n" in done.stdout
    assert done.stdout.endswith("\n3 outcomes are wrong\n")


def test_manifests_that_are_refused_end_it_with_moorctls_words(
    tmp_path: pathlib.Path,
) -> None:
    done = run(tmp_path / "nowhere", tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("demo: moorctl apply")
    assert "cannot read" in done.stderr
