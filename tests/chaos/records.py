"""What a caller saw of each call: when it was sent and answered, and what came of it.

Times are of the machine's one monotonic clock, so those of different processes can be compared.
"""

import dataclasses
import enum

Told = tuple[tuple[str, int], ...]  # addresses, each with its generation


class Verb(enum.Enum):
    """What was asked for."""

    ASSIGN = "assign"
    RELEASE = "release"
    LIST = "list"


class Outcome(enum.Enum):
    """What the caller knows."""

    DONE = "acknowledged"
    REFUSED = "refused, and certainly not done"
    UNKNOWN = "it may have been done, be done yet, or never"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One call, before it is sent; a retry sends the same."""

    verb: Verb
    node: str
    container: str = ""
    pod: str = ""
    stamp: int = 0
    generations: frozenset[int] = frozenset()
    listed: frozenset[str] = frozenset()
    pools: frozenset[str] = frozenset()  # those that it names


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One try of a call."""

    asked: Asked
    server: int
    sent: float
    answered: float
    outcome: Outcome
    reason: str = ""
    told: Told = ()
    doubtful: frozenset[str] = frozenset()  # what a list may have released, and does not know

    @property
    def may_be_done(self) -> bool:
        """Whether it can have changed anything."""
        return self.outcome is not Outcome.REFUSED

    def __str__(self) -> str:
        """For whoever looks into a violation."""
        asked = self.asked
        return (
            f"{asked.verb.value} {asked.container or asked.node} at stamp {asked.stamp}"
            f"{' of ' + str(sorted(asked.generations)) if asked.generations else ''}"
            f" by server {self.server}, {self.sent:.4f} to {self.answered:.4f}:"
            f" {self.outcome.name} {self.reason} {dict(self.told) or ''}"
            f"{' in doubt: ' + str(sorted(self.doubtful)) if self.doubtful else ''}"
        )
