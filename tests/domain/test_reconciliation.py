"""What lists say of a node's attachments, and what is released by their word."""

import dataclasses
import datetime

import pytest

from moorage_server.domain import addresses, identity, model, reconciliation
from moorage_server.domain.reconciliation import ReconcileRequest, Verdict

KEY = model.AttachmentKey(vrf="default", network="pods", container_id="c1", interface="eth0")


def allocation(suspect_tick: int | None, generation: int = 5, node: str = "n1") -> model.Allocation:
    """An address that KEY holds."""
    return model.Allocation(
        attachment=KEY,
        address=addresses.parse_address(f"10.0.0.{generation}"),
        generation=generation,
        block=addresses.parse_network("10.0.0.0/26"),
        assign_time=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
        facts=model.Facts(workload=model.Workload(node=node)),
        suspect_tick=suspect_tick,
    )


def record(*ticks: int | None, moment: int | None = None, boot: str = "b1") -> identity.Record:
    """KEY's, with an address for each tick that it is suspect since."""
    held = tuple(allocation(tick, at) for at, tick in enumerate(ticks, start=1))
    return identity.Record(stamp=stamp(moment, boot), allocations=held)


def stamp(moment: int | None, boot: str = "b1") -> model.AttemptStamp | None:
    """A stamp, or none."""
    return None if moment is None else model.AttemptStamp(boot_id=boot, boot_time_ns=moment)


def a_list(
    *listed: model.AttachmentKey, moment: int | None = None, grace: int = 10
) -> ReconcileRequest:
    """A list of node n1."""
    return ReconcileRequest(
        vrf="default", node="n1", listed=frozenset(listed), attempt=stamp(moment), grace=grace
    )


@pytest.mark.parametrize(
    ("held", "tick", "verdict"),
    [
        (record(None), 1_000_000, Verdict.SUSPECT),
        (record(100), 100, Verdict.SUSPECT),
        (record(100), 110, Verdict.SUSPECT),
        (record(100), 111, Verdict.LEAKED),
        (record(100, 105), 111, Verdict.SUSPECT),
        (record(100, 105), 116, Verdict.LEAKED),
        (record(100, None), 1_000, Verdict.SUSPECT),
    ],
)
def test_what_is_missing_is_leaked_once_all_of_it_was_suspect_for_the_grace(
    held: identity.Record, tick: int, verdict: Verdict
) -> None:
    assert reconciliation.judge(a_list(), KEY, held, tick) is verdict


def test_a_grace_of_nothing_still_takes_two_lists() -> None:
    assert reconciliation.judge(a_list(grace=0), KEY, record(None), 7) is Verdict.SUSPECT
    assert reconciliation.judge(a_list(grace=0), KEY, record(7), 7) is Verdict.SUSPECT
    assert reconciliation.judge(a_list(grace=0), KEY, record(7), 8) is Verdict.LEAKED


@pytest.mark.parametrize(
    ("held", "moment", "confirmed"),
    [
        (record(1, moment=20), 19, True),
        (record(1, moment=20), 20, False),
        (record(1, moment=20), 21, False),
        (record(1, moment=20, boot="b0"), 19, False),
        (record(1, moment=20, boot="b0"), 21, False),
        (record(1, moment=None), 19, False),
        (record(1, moment=20), None, False),
    ],
)
def test_what_began_after_the_list_is_confirmed_where_one_boot_can_tell(
    held: identity.Record, moment: int | None, confirmed: bool
) -> None:
    verdict = reconciliation.judge(a_list(moment=moment), KEY, held, 1_000)
    assert (verdict is Verdict.CONFIRMED) is confirmed


def test_a_verdict_changes_no_more_than_it_has_to() -> None:
    held = record(3, None)
    suspect = reconciliation.changed(Verdict.SUSPECT, held, 9)
    assert [(each.generation, each.suspect_tick) for each in suspect] == [(2, 9)]
    cleared = reconciliation.changed(Verdict.CONFIRMED, held, 9)
    assert [(each.generation, each.suspect_tick) for each in cleared] == [(1, None)]
    assert reconciliation.changed(Verdict.LEAKED, held, 9) == ()


def test_a_list_concerns_the_workloads_of_its_own_node_alone() -> None:
    tunnel = model.Facts(workload=model.Workload(node="n1"), use=model.Use.TUNNEL)
    assert a_list().concerns(record(None))
    assert not a_list().concerns(None)
    assert not a_list().concerns(record())
    others = [allocation(None, node="n2"), allocation(None, node="")]
    others.append(dataclasses.replace(allocation(None), facts=tunnel))
    for other in others:
        assert not a_list().concerns(identity.Record(stamp=None, allocations=(other,)))


@pytest.mark.parametrize(
    ("now_held", "released"),
    [
        (record(3, 4), 2),
        (record(3, None), 0),  # cleared, or given since
        (record(3, 5), 0),  # cleared, and suspect again
        (record(3, 4, None), 0),
        (record(3, 4, moment=8), 0),  # asked for again since the list was made
        (record(3, 4, moment=6), 2),
        (record(), 0),
    ],
)
def test_a_leak_is_released_only_if_nothing_has_spoken_for_it_since(
    now_held: identity.Record, released: int
) -> None:
    request = reconciliation.releasing(a_list(moment=7), KEY, record(3, 4))
    freed = identity.releasable(request, now_held)
    assert len(freed) == released
    # What is held back from is not fenced either.
    assert identity.leaves_tombstone(request, now_held, freed) is bool(released)


def test_a_leak_is_not_released_at_other_generations() -> None:
    request = reconciliation.releasing(a_list(), KEY, record(3))
    again = identity.Record(stamp=None, allocations=(allocation(3, generation=9),))
    assert identity.releasable(request, again) == ()
    assert not identity.leaves_tombstone(request, None, ())
