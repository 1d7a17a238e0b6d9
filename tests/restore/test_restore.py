"""An older backup is restored under running nodes: it is noticed before anything new is assigned.

`make restore-trials` makes fifty: MOORAGE_RESTORE_TRIALS says how many, MOORAGE_RESTORE_SEED from
which seed on.
"""

import os

import pytest

from harness import postgres
from restore.trial import Trial

TRIALS = int(os.environ.get("MOORAGE_RESTORE_TRIALS", "2"))
SEED = int(os.environ.get("MOORAGE_RESTORE_SEED", "1"))


@pytest.mark.timeout(120)
@pytest.mark.parametrize("new_servers", [False, True], ids=["servers-stay", "new-servers"])
@pytest.mark.parametrize("seed", range(SEED, SEED + (TRIALS + 1) // 2))
def test_it_is_noticed_before_anything_new_is_assigned(
    cluster: postgres.Postgres, seed: int, new_servers: bool
) -> None:
    with cluster.database() as database:
        lost = Trial(database, seed, new_servers=new_servers).run()
    print(f"\nseed {seed}: {lost} events were lost, and none was made before that was noticed")
