"""Nothing that was acknowledged is lost and no address has two holders, whatever fails.

`make chaos` goes on for five minutes: MOORAGE_CHAOS_SECONDS says for how many, and
MOORAGE_CHAOS_SEED plays one plan of faults again.
"""

import os
import pathlib
import time

import pytest

from chaos import scenario

SECONDS = float(os.environ.get("MOORAGE_CHAOS_SECONDS", "0"))
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


@pytest.mark.timeout(300 + 2 * SECONDS)
def test_whatever_fails(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    until = time.monotonic() + SECONDS
    among = () if SECONDS else SHORT
    # As many as two servers and the ways to them keep up with on two cores.
    nodes = 24 if SECONDS else 6
    with scenario.campaign(
        tmp_path, SEED, among=among, nodes=nodes, own_disk=SECONDS > 0
    ) as campaign:
        while True:
            campaign.round(scenario.FAULTS_OF_A_ROUND if SECONDS else len(SHORT))
            if SECONDS:
                with capsys.disabled():
                    print(f"\n{campaign.tally}", flush=True)
            if campaign.tally.violations or time.monotonic() > until:
                break
    assert not campaign.tally.violations, "\n".join(campaign.tally.violations[:20])
    assert campaign.tally.operations > 100
