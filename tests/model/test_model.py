"""The decisions keep the rules, alone and on PostgreSQL, where they come to the same.

MOORAGE_MODEL_HISTORIES says how many are tried on the decisions alone; a fiftieth of them,
and no fewer than eight, are played on PostgreSQL as well.
"""

import contextlib
import os
from collections.abc import Callable, Sequence

import hypothesis
import pytest
from hypothesis.stateful import run_state_machine_as_test

from harness import invariants, postgres
from model.drivers import Core, Driver, Stored
from model.machine import Histories
from moorage_server.domain import blocks, cooling, identity, succession

HISTORIES = int(os.environ.get("MOORAGE_MODEL_HISTORIES", "150"))
STEPS = 50
LONGEST = 300 + HISTORIES  # seconds, on a machine with much else to do
# What is said in place of a rule.
TAKEN_AWAY: dict[str, tuple[object, Callable[..., object]]] = {
    "is_newer": (identity, lambda *_: True),
    "is_older": (identity, lambda *_: False),
    "satisfies": (identity, lambda *_: True),
    "leaves_tombstone": (identity, lambda *_: False),
    "check": (succession, lambda *_: None),
    "ticks": (cooling, lambda _: 0),
    "first_free": (blocks.Block, lambda self, _: self.free[0] if self.free else None),
    "without": (blocks.Block, lambda self, *_: self),
}


class Alone(Histories):
    """The decisions, without anything around them."""

    def drivers(self) -> Sequence[Driver]:
        """In memory."""
        return [Core()]


@pytest.mark.timeout(LONGEST)
def test_the_decisions_alone_keep_the_rules() -> None:
    run_state_machine_as_test(Alone, settings=_settings(HISTORIES))


@pytest.mark.timeout(LONGEST)
def test_on_postgresql_they_come_to_the_same(cluster: postgres.Postgres) -> None:
    class Both(Histories):
        def drivers(self) -> Sequence[Driver]:
            self._until = contextlib.ExitStack()
            self._database = self._until.enter_context(cluster.database())
            stored = Stored(self._database)
            self._until.callback(stored.close)
            return [Core(), stored]

        def teardown(self) -> None:
            try:
                invariants.check(self._database)
            finally:
                self._until.close()

    run_state_machine_as_test(Both, settings=_settings(max(8, HISTORIES // 50)))


@pytest.mark.parametrize("rule", TAKEN_AWAY)
def test_a_rule_that_is_taken_away_is_missed(monkeypatch: pytest.MonkeyPatch, rule: str) -> None:
    owner, instead = TAKEN_AWAY[rule]
    monkeypatch.setattr(owner, rule, instead)
    # What relies on a rule may itself fail where that is not kept.
    with pytest.raises((AssertionError, ValueError)):
        run_state_machine_as_test(
            Alone,
            settings=hypothesis.settings(
                _settings(HISTORIES),
                phases=[hypothesis.Phase.generate],
                database=None,
                report_multiple_bugs=False,
            ),
        )


def _settings(histories: int) -> hypothesis.settings:
    return hypothesis.settings(
        max_examples=histories,
        stateful_step_count=STEPS,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
