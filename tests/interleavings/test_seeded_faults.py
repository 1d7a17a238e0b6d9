"""The explorer finds what is wrong: each rule that keeps two transactions apart, taken away."""

from collections.abc import Callable

import pytest

from interleavings import pairs
from interleavings.pairing import Pair
from interleavings.verdicts import Trial, Violation
from moorage_server.domain import needs
from moorage_server.storage import database, locks, looks, pools
from moorage_server.storage.statements import Statement
from moorage_server.usecases import reconcile

DEADLOCKING = "assign / assign that open a block before and after they use an open one"
ATTACHMENT = locks.Class.ATTACHMENT.value
INTERFACE = locks.Class.POD_INTERFACE.value


def pair(name: str) -> Pair:
    return next(each for each in pairs.PAIRS if each.name == name)


def without(statement: Statement, text: str, instead: str = "") -> Statement:
    """The statement without a part of it."""
    assert text in statement.text
    return Statement(statement.text.replace(text, instead))


@pytest.mark.parametrize(
    "name", ["assign / assign of one attachment", "assign / release that began later"]
)
def test_attachments_that_are_not_locked(
    trial: Callable[[Pair], Trial], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    alone = without(locks._LOCK_EACH, "ORDER BY at", f"WHERE class <> {ATTACHMENT} ORDER BY at")
    monkeypatch.setattr(locks, "_LOCK_EACH", alone)
    with pytest.raises(Violation):
        trial(pair(name)).run(switches=2)


def test_sandboxes_of_one_pod_that_do_not_take_turns(
    trial: Callable[[Pair], Trial], monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = without(locks._LOCK_EACH, "ORDER BY at", f"WHERE class <> {INTERFACE} ORDER BY at")
    monkeypatch.setattr(locks, "_LOCK_EACH", alone)
    with pytest.raises(Violation):
        trial(pair("takeover / takeover by a newer sandbox")).run(switches=2)


def test_a_list_that_is_written_beside_whoever_works_on_what_it_lacks(
    trial: Callable[[Pair], Trial], monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = without(locks._TRY_LOCK_EACH, "SELECT CASE", "SELECT true OR CASE")
    monkeypatch.setattr(locks, "_TRY_LOCK_EACH", alone)
    with pytest.raises(Violation):
        trial(pair("list that lacks it / release")).run(switches=2)


def test_a_list_that_says_it_was_kept_out_by_nobody(
    trial: Callable[[Pair], Trial], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile._Note, "__call__", lambda note, _: ([], list(note.keys)))
    with pytest.raises(Violation, match="kept out by nobody"):
        trial(pair("list that lacks it / release")).run(switches=2)


def test_blocks_that_are_read_and_not_locked(
    trial: Callable[[Pair], Trial], monkeypatch: pytest.MonkeyPatch
) -> None:
    look = looks.ROOM[needs.OwnBlocks]
    unlocked = [without(each, "FOR UPDATE") for each in look.waiting]
    monkeypatch.setattr(look, "waiting", unlocked)
    with pytest.raises(Violation, match="allocations_pkey"):
        trial(pair("assign / assign for the last free address")).run(switches=2)


def test_a_vrf_that_is_changed_beside_those_who_decide_by_it(
    trial: Callable[[Pair], Trial], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "take", lambda *_, **__: True)
    with pytest.raises(Violation, match="in no order of the two"):
        trial(pair("assign / disabling")).run(switches=2)


def test_a_pool_that_is_deleted_beside_those_who_open_its_blocks(
    trial: Callable[[Pair], Trial], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "take", lambda *_, **__: True)
    monkeypatch.setattr(pools, "lock_blocks", lambda *_: None)
    with pytest.raises(Violation):
        trial(pair("assign / deletion")).run(switches=2)


def test_a_deadlock_that_nobody_runs_again(
    trial: Callable[[Pair], Trial], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "ATTEMPTS", 1)
    with pytest.raises(Violation, match="no answer: Contention"):
        trial(pair(DEADLOCKING)).run(switches=2)
