"""Two use cases at once come to what they come to one after the other, in every schedule.

The suite plays the schedules with at most two switches, of some pairs one; `make
interleavings` plays all, and says how many there are.
"""

import os
import time
from collections.abc import Callable

import pytest

from interleavings import explorer, pairs
from interleavings.pairing import Pair
from interleavings.verdicts import Trial

ALL = bool(os.environ.get("MOORAGE_INTERLEAVINGS"))
SMALL = ["release / release", "update / update of what both have read"]
LARGE = ["assign / assign for the last free address", "list that lacks it / list that lacks it"]


@pytest.mark.timeout(3600 if ALL else 120)
@pytest.mark.parametrize("pair", pairs.PAIRS, ids=[pair.name for pair in pairs.PAIRS])
def test_every_schedule_is_as_if_one_came_after_the_other(
    trial: Callable[[Pair], Trial], pair: Pair
) -> None:
    begin = time.monotonic()
    count = trial(pair).run(switches=None if ALL else pair.switches)
    took = time.monotonic() - begin
    assert bool(count.deadlocks) == pair.deadlocks
    print(f"\n{pair.name}: {count}, {took:.1f} s")


@pytest.mark.timeout(3600 if ALL else 120)
@pytest.mark.parametrize("name", SMALL + LARGE * ALL)
def test_what_is_left_out_as_a_repetition_comes_to_nothing_new(
    trial: Callable[[Pair], Trial], name: str
) -> None:
    pair = next(pair for pair in pairs.PAIRS if pair.name == name)
    plain = trial(pair)
    every = plain.outcomes(explorer.Explorer(reduced=False))
    some = plain.outcomes(explorer.Explorer())
    assert some.keys() == every.keys()
    assert some.total() < every.total()
    print(f"\n{name}: {some.total()} schedules for {every.total()}")
