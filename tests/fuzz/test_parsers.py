"""No parser is broken by what it is fed: only what it declares is raised, and soon.

Here a few hundred spoiled inputs each. `make fuzz` has five million, led by coverage:
MOORAGE_FUZZ_RUNS says how many, MOORAGE_FUZZ_TARGETS of which targets. What it reached and what
broke a parser is in MOORAGE_FUZZ_FOLDER, of which the next time begins.
"""

import itertools
import os
import pathlib
import random
import re
import subprocess
import sys

import pytest

from fuzz import catalog, mutation
from fuzz.target import Watch

RUNS = int(os.environ.get("MOORAGE_FUZZ_RUNS", "0"))
AMONG = os.environ.get("MOORAGE_FUZZ_TARGETS", ",".join(catalog.TARGETS)).split(",")
ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / os.environ.get("MOORAGE_FUZZ_FOLDER", ".fuzz")
# In processor time that each may take, whatever the target.
SHORT_SECONDS = 5.0
# Of what is slowest a few dozen are fed in a second.
LONGEST = 600 + RUNS // 10


@pytest.mark.parametrize("name", catalog.TARGETS)
def test_a_parser_bears_spoiled_inputs(name: str) -> None:
    target = catalog.TARGETS[name]
    # Other tests run beside this one, on the same processors.
    watch = Watch(target, patience=5)
    spoiled = mutation.inputs(
        catalog.seeds(name), catalog.words(name), target.longest, random.Random(name)
    )
    for data in itertools.islice(spoiled, _short_runs(name)):
        try:
            watch.feed(data)
        except Exception as fault:
            fault.add_note(f"{name} was fed {data!r}")
            raise


def _short_runs(name: str) -> int:
    return len(catalog.seeds(name)) + min(int(SHORT_SECONDS / catalog.TARGETS[name].seconds), 500)


@pytest.mark.timeout(LONGEST)
@pytest.mark.parametrize("name", AMONG if RUNS else ["all"])
def test_a_parser_bears_what_coverage_leads_to(name: str) -> None:
    if not RUNS:
        pytest.skip("led by coverage it takes hours; `make fuzz` does it, and brings atheris along")
    reached = FOLDER / name
    reached.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "fuzz.fuzzer", name, f"-runs={RUNS}", *_options(name)]
    command += [str(reached), str(catalog.corpus(name))]
    # A parser that waits for input of its own waits in vain.
    done = subprocess.run(
        command, cwd=ROOT / "tests", stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    said = done.stderr.decode(errors="replace")
    assert done.returncode == 0, said[-4000:]
    counted = re.search(r"stat::number_of_executed_units:\s*(\d+)", said)
    assert counted
    assert int(counted[1]) >= RUNS
    covered = re.findall(r"cov: (\d+) ft: (\d+)", said)
    print(f"{name}: {counted[1]} runs, {covered[-1][0]} places and {covered[-1][1]} ways reached")


def _options(name: str) -> list[str]:
    return [
        f"-dict={catalog.dictionary(name)}",
        f"-max_len={catalog.TARGETS[name].longest}",
        f"-artifact_prefix={FOLDER}/{name}-",
        "-timeout=30",
        "-rss_limit_mb=2048",
        "-print_final_stats=1",
        "-reload=0",
    ]
