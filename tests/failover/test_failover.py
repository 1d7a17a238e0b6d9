"""Nothing that was acknowledged is lost with the PostgreSQL that leads, and writes are soon back.

`make failover` has fifty failovers of five kinds: MOORAGE_FAILOVERS says how many,
MOORAGE_FAILOVER_KINDS of which kinds, and MOORAGE_FAILOVER_SEED plays one plan of them again.
"""

import itertools
import os
import pathlib
import random

import pytest

from chaos.seeded import Bug
from e2e.toolchain import UnavailableError
from failover import campaign, cells, member, trio
from failover.kinds import KINDS
from moorage_server.domain.quarantine import Cause

FAILOVERS = int(os.environ.get("MOORAGE_FAILOVERS", "0"))
SEED = int(os.environ.get("MOORAGE_FAILOVER_SEED", "1"))
AMONG = os.environ.get("MOORAGE_FAILOVER_KINDS", ",".join(KINDS)).split(",")
# As it would be without the rule that a warning at COMMIT is an unknown outcome.
BUG = Bug(
    name="a COMMIT whose wait for standbys was cancelled counts as done",
    module="storage/database.py",
    line='        if _WARNING in connection.info["warnings"]:',
    instead='        if "" in connection.info["warnings"]:',
)
BACK = 30.0  # seconds until writes are back, whatever became of the leader


@pytest.fixture(autouse=True)
def _programs() -> None:
    try:
        member.program()
        cells.require()
        trio.etcd()
    except UnavailableError as missing:
        if FAILOVERS:
            raise
        pytest.skip(f"{missing}; `make failover` brings it along")


@pytest.mark.timeout(300 + 300 * FAILOVERS)
def test_however_the_leader_is_lost(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with campaign.campaign(tmp_path, SEED) as under_way:
        planned = campaign.plan(SEED, AMONG if FAILOVERS else ["kill"])
        for kind, chance in itertools.islice(planned, FAILOVERS or 1):
            under_way.fail_over(kind, chance)
            if FAILOVERS:
                with capsys.disabled():
                    print(f"\n{under_way.tally}", flush=True)
            if under_way.tally.violations:
                break
        assert under_way.ground.durability() == {"sync-strict"}
    tally = under_way.tally
    assert not tally.violations, "\n".join(tally.violations[:20])
    assert max(each.back for each in tally.failovers) <= BACK, str(tally)
    assert sum(each.adds for each in tally.failovers) > 0


@pytest.mark.skipif(not FAILOVERS, reason="a part of `make failover`")
@pytest.mark.timeout(600)
def test_what_waits_for_no_standby_is_lost_with_the_leader_and_that_is_seen(
    tmp_path: pathlib.Path,
) -> None:
    with campaign.campaign(tmp_path, SEED, strict=False) as under_way:
        # Until its agent hears of the next leader, this one acknowledges what nobody else has.
        under_way.fail_over("agent", random.Random(SEED))
        assert under_way.ground.durability() == {"local"}
        _require_loss(under_way)


@pytest.mark.skipif(not FAILOVERS, reason="a part of `make failover`")
@pytest.mark.timeout(600)
def test_a_server_that_takes_a_cancelled_wait_for_done_is_found_out(
    tmp_path: pathlib.Path,
) -> None:
    with campaign.campaign(tmp_path, SEED, source=BUG.seed(tmp_path)) as under_way:
        under_way.fail_over("cancelled", random.Random(SEED))
        assert under_way.ground.durability() == {"sync-strict"}
        _require_loss(under_way)


def _require_loss(under_way: campaign.Campaign) -> None:
    """Seen by who accounts for everything, or by the servers before, who then assign nothing."""
    seen = any("lost: " in each for each in under_way.tally.violations)
    assert seen or under_way.ground.quarantined() == {Cause.WENT_BACK.name}, under_way.tally
