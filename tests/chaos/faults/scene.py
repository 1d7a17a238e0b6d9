"""What a fault has at hand, and how long it lasts."""

import dataclasses
import random
import time
from collections.abc import Callable

from chaos.fleet import Fleet
from chaos.stage import Server, Stage

SPRUNG = 20.0  # seconds in which somebody comes to a moment that everybody comes to


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """Addresses that nobody may be given who asks for them between two moments."""

    prefix: str
    since: float
    until: float


@dataclasses.dataclass
class Scene:
    """Where a fault strikes: it chooses by `chance`, and leaves `closed` what nobody may get."""

    stage: Stage
    fleet: Fleet
    chance: random.Random
    closed: list[Closed] = dataclasses.field(default_factory=list)

    def server(self) -> Server:
        """One of those that are there."""
        return self.chance.choice(self.stage.steady)

    def last(self, shortest: float, longest: float) -> None:
        """Lets what was done to them have its effect on those who go on meanwhile."""
        time.sleep(self.chance.uniform(shortest, longest))

    def stand_still(self) -> None:
        """Mostly for less than anybody's patience, and now and then for more than everybody's."""
        if self.chance.random() < 1 / 8:
            self.last(6, 15)
        else:
            self.last(0.3, 2.5)

    def go_on(self, calls: int) -> None:
        """Lets callers go on, as far as they can."""
        self.fleet.progress(calls, seconds=2.0)


Strike = Callable[[Scene], int]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One kind; `strike` returns how many times it struck, all of it mended again or mendable."""

    name: str
    says: str
    strike: Strike


def fault(strike: Strike) -> Fault:
    """A kind named after its function, which says what it does."""
    says = (strike.__doc__ or "").splitlines()[0]
    return Fault(name=strike.__name__.replace("_", " "), says=says, strike=strike)
