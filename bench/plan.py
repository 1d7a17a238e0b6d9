"""What a run measures: the pools, the calls, and how long and how often."""

import dataclasses
from typing import Final

from bench.work import Audience, Call, Phase
from moorage.v1 import resources_pb2 as messages

NODES: Final = 16
FILL_CALLERS: Final = 16
FULL_POOL: Final = "full"
FULL_POOL_SIZE: Final = 16

POOLS: Final = {
    "flat": messages.Pool(cidr="10.0.0.0/12", block_affinity=messages.BLOCK_AFFINITY_NONE),
    "node": messages.Pool(cidr="10.16.0.0/12", block_affinity=messages.BLOCK_AFFINITY_NODE),
    FULL_POOL: messages.Pool(cidr="10.32.0.0/28", block_affinity=messages.BLOCK_AFFINITY_NONE),
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How thorough a run is; `fill_prefix` is the size of the pools that are filled."""

    rounds: int = 5
    seconds: float = 0.8
    callers: tuple[int, ...] = (1, 16, 64)
    fill_prefix: int = 20
    audiences: tuple[Audience, ...] = (
        Audience(watches=100),
        Audience(watches=100, of_everything=True),
        Audience(watches=1000),
        Audience(watches=1000, of_everything=True),
    )

    @property
    def fill_size(self) -> int:
        """How many addresses each of the pools that are filled has."""
        return 1 << (32 - self.fill_prefix)


# A smaller pool would have less than one free address for each caller at 99 %.
QUICK: Final = Plan(rounds=3, seconds=0.4, fill_prefix=21, audiences=(Audience(watches=100),))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One row for each number of callers."""

    title: str
    call: Call
    pool: str = ""
    nodes: int = 1

    def phase(self, *, callers: int, seconds: float) -> Phase:
        """The stretch of load that measures it."""
        return Phase(
            call=self.call, callers=callers, seconds=seconds, pool=self.pool, nodes=self.nodes
        )


EMPTY: Final = Scenario(title="empty call", call=Call.EMPTY)
COMMIT: Final = Scenario(title="insert commit", call=Call.COMMIT)
_FLAT: Final = "no affinity"
_NODE: Final = f"node affinity, {NODES} nodes"

# In the order they run; a release gives back what the assign before it took.
SCENARIOS: Final = (
    EMPTY,
    COMMIT,
    Scenario(title=f"assign, {_FLAT}", call=Call.ASSIGN, pool="flat"),
    Scenario(title=f"release, {_FLAT}", call=Call.RELEASE, pool="flat"),
    Scenario(title=f"assign, {_NODE}", call=Call.ASSIGN, pool="node", nodes=NODES),
    Scenario(title=f"release, {_NODE}", call=Call.RELEASE, pool="node", nodes=NODES),
    Scenario(title="refused assign, pool full", call=Call.REFUSAL, pool=FULL_POOL),
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """A pool of which a share of the addresses is held, the free ones strewn over its blocks."""

    pool: str
    cidr_start: str
    percent: int


FILLINGS: Final = (
    Filling(pool="fill-0", cidr_start="10.48.0.0", percent=0),
    Filling(pool="fill-50", cidr_start="10.49.0.0", percent=50),
    Filling(pool="fill-99", cidr_start="10.50.0.0", percent=99),
)
