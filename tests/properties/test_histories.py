"""Whatever is done to a VRF, the rules hold after every step.

`make properties` walks long histories; MOORAGE_PROPERTY_STEPS says how many steps are taken in
all, and MOORAGE_PROPERTY_SEED walks one history again.
"""

import os

import grpc
import pytest

from harness.serving import Serving
from properties import history, service

# A failure is found again by walking its history from the start, so none is very long.
SHORTEST, LONGEST = 250, 500
STEPS = int(os.environ.get("MOORAGE_PROPERTY_STEPS", "2000"))
SEED = os.environ.get("MOORAGE_PROPERTY_SEED")


def _histories() -> list[tuple[int, int]]:
    """A seed and a length for each history."""
    if SEED is not None:
        return [(int(SEED), STEPS)]
    length = max(SHORTEST, min(LONGEST, STEPS // 20))
    return [(seed, length) for seed in range(1, -(-STEPS // length) + 1)]


@pytest.mark.parametrize(("seed", "length"), _histories())
def test_the_rules_hold_after_every_step(
    server: Serving, channel: grpc.Channel, seed: int, length: int
) -> None:
    history.run(service.Service(channel), server.database, seed=seed, length=length)
