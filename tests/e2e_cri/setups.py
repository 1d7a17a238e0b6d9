"""What the tests are run with: a containerd, and a plugin with an agent or without."""

from collections.abc import Iterable
from dataclasses import dataclass

import pytest


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """A suite of Debian, the machine's own if it has no name; with an agent or without."""

    suite: str
    through_agent: bool

    def __str__(self) -> str:
        """As it is called in names of tests and of VRFs."""
        return (
            f"{'newest' if self.suite else 'debian'}-{'agent' if self.through_agent else 'direct'}"
        )


DEBIAN, NEWEST = "", "testing"

DIRECT = tuple(Setup(suite=suite, through_agent=False) for suite in (DEBIAN, NEWEST))
WITH_AGENT = tuple(Setup(suite=suite, through_agent=True) for suite in (DEBIAN, NEWEST))
ALL = DIRECT + WITH_AGENT
USUAL = (DIRECT[0], WITH_AGENT[1])
# STATUS is of CNI 1.1.0, which only the newest speaks.
OF_NEWEST = (DIRECT[1], WITH_AGENT[1])


def on(chosen: Iterable[Setup]) -> pytest.MarkDecorator:
    """Runs a test with these, and not with the usual ones."""
    return pytest.mark.parametrize("setup", chosen, indirect=True, ids=str)
