"""Nothing that was acknowledged is lost and no address has two holders, whatever fails.

`make chaos` goes on for five minutes, `make chaos-night` until there were a million operations:
MOORAGE_CHAOS_SECONDS and MOORAGE_CHAOS_OPERATIONS say how much there is at the least, and
MOORAGE_CHAOS_SEED plays one plan of faults again.
"""

import os
import pathlib
import time

import pytest

from chaos import scenario

SECONDS = float(os.environ.get("MOORAGE_CHAOS_SECONDS", "0"))
OPERATIONS = int(os.environ.get("MOORAGE_CHAOS_OPERATIONS", "0"))
LONG = SECONDS > 0 or OPERATIONS > 0
SEED = int(os.environ.get("MOORAGE_CHAOS_SEED", "1"))
# What the suite has time for.
SHORT = (
    "server killed at commit",
    "postgresql killed",
    "connections ended",
    "cut, commit unsent",
    "cut, commit told",
    "answers lost",
    "blocks locked",
    "pool disabled",
)


# A thousand operations take six seconds on two cores that have something else to do as well.
@pytest.mark.timeout(300 + 2 * SECONDS + OPERATIONS / 50)
def test_whatever_fails(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    until = time.monotonic() + SECONDS
    among = () if LONG else SHORT
    # As many as two servers and the ways to them keep up with on two cores.
    nodes = 24 if LONG else 6
    with scenario.campaign(tmp_path, SEED, among=among, nodes=nodes, own_disk=LONG) as campaign:
        tally = campaign.tally
        while True:
            campaign.round(scenario.FAULTS_OF_A_ROUND if LONG else len(SHORT))
            if LONG:
                with capsys.disabled():
                    print(f"\n{tally}", flush=True)
            if tally.violations or (time.monotonic() > until and tally.operations >= OPERATIONS):
                break
    assert not tally.violations, "\n".join(tally.violations[:20])
    assert tally.operations > 100
