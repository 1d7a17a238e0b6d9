"""What the checker says of histories that were made by hand."""

import dataclasses

import pytest

from chaos import wants
from chaos.checker import Checker
from chaos.faults.scene import Closed
from chaos.records import Asked, Call, Outcome, Told, Verb
from chaos.rounds import Event

ONE, OTHER = (("10.1.1.1", 1),), (("10.1.1.1", 2),)


def assign(
    container: str = "a", told: Told = ONE, *, at: float, stamp: int = 1, pod: str = ""
) -> Call:
    """An assign that took a tenth of a second."""
    asked = Asked(
        verb=Verb.ASSIGN, node="n", container=container, pod=pod or container, stamp=stamp
    )
    done = Outcome.DONE if told else Outcome.UNKNOWN
    return Call(asked=asked, server=0, sent=at, answered=at + 0.1, outcome=done, told=told)


def release(
    container: str = "a",
    told: Told = ONE,
    *,
    at: float,
    stamp: int = 2,
    outcome: Outcome = Outcome.DONE,
    generations: tuple[int, ...] = (),
) -> Call:
    """A release that took a tenth of a second."""
    asked = Asked(
        verb=Verb.RELEASE,
        node="n",
        container=container,
        stamp=stamp,
        generations=frozenset(generations),
    )
    return Call(asked=asked, server=0, sent=at, answered=at + 0.1, outcome=outcome, told=told)


def listing(*listed: str, at: float, told: Told = (), doubtful: tuple[str, ...] = ()) -> Call:
    """A node's list that took a tenth of a second."""
    asked = Asked(verb=Verb.LIST, node="n", stamp=9, listed=frozenset(listed))
    return Call(
        asked=asked,
        server=0,
        sent=at,
        answered=at + 0.1,
        outcome=Outcome.DONE,
        told=told,
        doubtful=frozenset(doubtful),
    )


def events_of(*happened: tuple[str, str, Told]) -> list[Event]:
    """What history would have: + or -, who, and what."""
    return [
        Event(
            generation=100 + at if sign == "-" else generation,
            kind="RELEASED" if sign == "-" else "ASSIGNED",
            cause="REQUESTED",
            address=address,
            container=container,
            assigned_at=generation,
        )
        for at, (sign, container, told) in enumerate(happened)
        for address, generation in told
    ]


def judged(
    calls: list[Call],
    events: list[Event],
    has: dict[str, Told] | None = None,
    *,
    stored: dict[str, Told] | None = None,
    closed: tuple[Closed, ...] = (),
) -> list[str]:
    """The first words of what is wrong; what nodes have is stored, unless told otherwise."""
    has = has or {}
    stored = has if stored is None else stored
    table = {holding: container for container, told in stored.items() for holding in told}
    wrong = Checker().judge(calls, events, has, table, closed)
    return sorted({each.partition(":")[0] for each in wrong})


def test_a_list_releases_what_it_lacks_and_tells_of_or_leaves_in_doubt() -> None:
    events = [
        dataclasses.replace(each, cause="RECONCILED" if each.kind == "RELEASED" else each.cause)
        for each in events_of(("+", "a", ONE), ("-", "a", ONE), ("+", "b", OTHER))
    ]

    def wrong(collected: Call) -> list[str]:
        calls = [assign(at=1), collected, assign("b", OTHER, at=3)]
        return judged(calls, events, {"b": OTHER})

    assert wrong(listing(at=2, told=ONE)) == []
    assert wrong(listing(at=2, doubtful=("a",))) == []
    assert wrong(listing(at=2)) == ["released by nobody who could", "twice"]
    assert "released by nobody who could" in wrong(listing("a", at=2, doubtful=("a",)))


def test_what_is_assigned_released_and_assigned_again_is_right() -> None:
    calls = [assign(at=1), release(at=2), assign("b", OTHER, at=3)]
    events = events_of(("+", "a", ONE), ("-", "a", ONE), ("+", "b", OTHER))
    assert judged(calls, events, {"b": OTHER}) == []


def test_an_address_with_two_holders() -> None:
    calls = [assign(at=1), assign("b", OTHER, at=2), release(at=3)]
    events = events_of(("+", "a", ONE), ("-", "a", ONE), ("+", "b", OTHER))
    assert judged(calls, events, {"b": OTHER}) == ["twice"]


def test_a_release_that_is_under_way_may_have_freed_it() -> None:
    calls = [assign(at=1), release(at=2), assign("b", OTHER, at=2.05)]
    events = events_of(("+", "a", ONE), ("-", "a", ONE), ("+", "b", OTHER))
    assert judged(calls, events, {"b": OTHER}) == []


def test_another_answer_to_the_same_attachment() -> None:
    told: Told = (("10.1.1.9", 5),)
    calls = [assign(at=1), assign(told=told, at=2)]
    events = events_of(("+", "a", ONE), ("+", "a", told))
    assert "twice" in judged(calls, events, {"a": told})


def test_an_acknowledged_assign_that_is_not_stored() -> None:
    assert judged([assign(at=1)], events_of(("+", "a", ONE)), {"a": ONE}, stored={}) == ["lost"]


def test_an_acknowledged_assign_of_which_history_knows_nothing() -> None:
    assert judged([assign(at=1)], [], {"a": ONE}) == ["lost"]


def test_what_is_stored_and_nobody_has() -> None:
    calls = [assign(at=1), release(at=2)]
    events = events_of(("+", "a", ONE), ("-", "a", ONE))
    assert judged(calls, events, {}, stored={"a": ONE}) == ["leaked"]


def test_a_released_attachment_that_is_assigned_by_an_older_attempt() -> None:
    calls = [assign(at=1), release(at=2), assign(told=OTHER, at=3)]
    events = events_of(("+", "a", ONE), ("-", "a", ONE), ("+", "a", OTHER))
    assert judged(calls, events, {"a": OTHER}) == ["undone"]


def test_a_call_that_was_refused_and_has_happened_all_the_same() -> None:
    refused = dataclasses.replace(assign(told=(), at=1), outcome=Outcome.REFUSED)
    assert judged([refused], events_of(("+", "a", ONE)), {}, stored={}) == ["done though refused"]


def test_a_call_in_doubt_may_have_happened_or_not() -> None:
    calls = [assign(told=(), at=1), release(told=(), at=2)]
    assert judged(calls, []) == []
    happened = [assign(told=(), at=1), release(at=2)]
    assert judged(happened, events_of(("+", "a", ONE), ("-", "a", ONE))) == []


@pytest.mark.parametrize(
    "late",
    [
        release(told=(), at=2, stamp=1, outcome=Outcome.UNKNOWN),
        release(told=(), at=2, stamp=4, generations=(7,), outcome=Outcome.UNKNOWN),
        release("b", told=(), at=2, outcome=Outcome.UNKNOWN),
    ],
    ids=["began before", "other generations", "another attachment"],
)
def test_a_release_by_a_call_that_is_fenced_off(late: Call) -> None:
    calls = [assign(at=1, stamp=3), late]
    events = events_of(("+", "a", ONE), ("-", "a", ONE))
    assert judged(calls, events) == ["released by nobody who could"]


@pytest.mark.parametrize(("at", "wrong"), [(3.5, ["too early"]), (4.1, [])])
def test_an_address_that_has_not_cooled_down(at: float, wrong: list[str]) -> None:
    old, new = ((("10.3.0.1", 1),), (("10.3.0.1", 2),))
    calls = [assign(told=old, at=1), release(told=old, at=2), assign("b", new, at=at)]
    events = events_of(("+", "a", old), ("-", "a", old), ("+", "b", new))
    assert judged(calls, events, {"b": new}) == wrong


@pytest.mark.parametrize(("at", "wrong"), [(1.0, []), (2.1, ["withheld"]), (3.1, [])])
def test_an_address_of_a_pool_that_is_disabled(at: float, wrong: list[str]) -> None:
    closed = (Closed(prefix="10.1.", since=2, until=3),)
    events = events_of(("+", "a", ONE))
    assert judged([assign(at=at)], events, {"a": ONE}, closed=closed) == wrong


def test_a_pod_keeps_what_it_had_before_its_pool_was_disabled() -> None:
    checker = Checker()
    checker.judge([assign(at=1, pod="p")], events_of(("+", "a", ONE)), {"a": ONE}, {ONE[0]: "a"})
    calls = [assign("b", OTHER, at=9, pod="p")]
    events = [
        dataclasses.replace(each, cause="SUPERSEDED" if each.kind == "RELEASED" else each.cause)
        for each in events_of(("-", "a", ONE), ("+", "b", OTHER))
    ]
    closed = (Closed(prefix="10.1.", since=8, until=10),)
    assert not checker.judge(calls, events, {"b": OTHER}, {OTHER[0]: "b"}, closed)


def test_a_fault_of_the_server() -> None:
    refused = dataclasses.replace(assign(told=(), at=1), reason="INTERNAL")
    assert judged([refused], []) == ["a fault"]


def test_what_was_held_before_is_remembered() -> None:
    checker = Checker()
    table = {ONE[0]: "a"}
    assert not checker.judge([assign(at=1)], events_of(("+", "a", ONE)), {"a": ONE}, table)
    wrong = checker.judge(
        [assign("b", OTHER, at=9), release(at=10)],
        events_of(("+", "b", OTHER), ("-", "a", ONE)),
        {"b": OTHER},
        {OTHER[0]: "b"},
    )
    assert [each.partition(":")[0] for each in wrong] == ["twice"]


@pytest.mark.parametrize(("pools", "is_wrong"), [(("wide", "six"), True), (("tight",), False)])
def test_nobody_is_refused_for_want_of_addresses_where_there_are_many(
    pools: tuple[str, ...], is_wrong: bool
) -> None:
    call = assign(told=(), at=1)
    asked = dataclasses.replace(call.asked, pools=frozenset(pools))
    full = dataclasses.replace(call, asked=asked, outcome=Outcome.REFUSED, reason="POOL_EXHAUSTED")
    assert bool(Checker().judge([full], [], {}, {})) is is_wrong


def test_more_than_a_quota_allows_however_briefly() -> None:
    capped = [
        dataclasses.replace(each, namespace=wants.CAPPED)
        for each in events_of(
            *(("+", f"c{at}", ((f"10.1.1.{at}", at),)) for at in range(1, wants.QUOTA + 1)),
            ("-", "c1", (("10.1.1.1", 1),)),
            ("+", "last", (("10.1.2.1", 50),)),
            ("+", "beyond", (("10.1.2.2", 51),)),
        )
    ]
    wrong = [each for each in Checker().judge([], capped, {}, {}) if each.startswith("beyond")]
    assert len(wrong) == 1
    assert "'beyond'" in wrong[0]


def test_a_quota_is_no_reason_for_whoever_has_none() -> None:
    def told_of(pod: str) -> list[str]:
        call = assign(told=(), at=1, pod=pod)
        return judged(
            [dataclasses.replace(call, outcome=Outcome.REFUSED, reason="QUOTA_EXCEEDED")], []
        )

    by_namespace = {wants.namespace(f"p{at}"): f"p{at}" for at in range(20)}
    assert told_of(by_namespace[wants.CAPPED]) == []
    assert told_of(by_namespace[wants.FREE]) == ["refused"]
