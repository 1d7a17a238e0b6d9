"""The chaos can fail: a server that breaks one rule is found out.

The suite tries one; `make seeded-bugs` tries every one (MOORAGE_SEEDED_BUGS=all), and says by what
it was found out, and when.
"""

import os
import pathlib
import time

import pytest

from chaos import scenario
from chaos.seeded import BUGS, Bug

ALL = os.environ.get("MOORAGE_SEEDED_BUGS") == "all"
TRIED = BUGS if ALL else [each for each in BUGS if each.name == "a tombstone fences nothing"]
ROUNDS, FAULTS = 15, 2


@pytest.mark.timeout(400)
@pytest.mark.parametrize("bug", TRIED, ids=lambda bug: str(bug.name))
def test_a_server_that_breaks_a_rule_is_found_out(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], bug: Bug
) -> None:
    source = bug.seed(tmp_path)
    with scenario.campaign(tmp_path, 1, among=bug.faults, source=source) as campaign:
        began = time.monotonic()
        for _ in range(ROUNDS):
            campaign.round(FAULTS)
            if campaign.tally.violations:
                break
        seconds = time.monotonic() - began
    if ALL:
        with capsys.disabled():
            found = (campaign.tally.violations or ["nothing"])[0]
            print(f"\n{bug.name}: found out after {seconds:.0f} s by {found:.300}", flush=True)
    assert campaign.tally.violations


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: str(bug.name))
def test_the_line_that_a_bug_changes_is_there(tmp_path: pathlib.Path, bug: Bug) -> None:
    assert bug.instead in (bug.seed(tmp_path) / "moorage_server" / bug.module).read_text()
