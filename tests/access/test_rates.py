"""Who calls too often is held up, and nobody else."""

import contextlib
from collections.abc import Callable

import pytest

import moorage
from harness import calls, serving
from harness.certificates import Authority
from moorage_server.api import callers, rates
from moorage_server.domain import errors

Calling = Callable[..., moorage.Client]


def outcome(call: Callable[[], object]) -> str:
    """OK, or why it was refused."""
    try:
        call()
    except moorage.MoorageError as error:
        return error.metadata.get("cause", error.reason)
    return "OK"


@pytest.fixture(autouse=True)
def three_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one after that in a quarter of an hour, whatever else this machine does."""
    rate = rates.Rate(each_second=0.001, at_once=3)
    monkeypatch.setattr(callers, "CALLS", rate)
    monkeypatch.setattr(callers, "REFUSALS", rate)


def test_a_node_that_calls_too_often_is_held_up_and_no_other(calling: Calling) -> None:
    operator = calling("op", common_name="op")
    calls.create_pool(operator, "p", "10.0.0.0/24")
    n1, n2 = (
        calling(name, common_name=f"system:node:{name}", of=["system:nodes"])
        for name in ("n1", "n2")
    )

    def asks(client: moorage.Client, times: int) -> list[str]:
        return [outcome(lambda: client.get_pool("p", timeout=0.5)) for _ in range(times)]

    assert asks(n1, 4) == ["OK", "OK", "OK", "SERVER_BUSY"]
    assert asks(n2, 3) == ["OK", "OK", "OK"]
    assert asks(operator, 5) == ["OK"] * 5


def test_what_is_refused_too_often_is_not_looked_at_and_who_is_known_goes_on(
    secured: serving.Serving, authority: Authority
) -> None:
    known = authority.sign("op", common_name="op").trusting(authority.ca)
    strangers = [
        authority.sign(f"s{at}", common_name=f"stranger-{at}").trusting(authority.ca)
        for at in range(4)
    ]
    with moorage.Client(secured.target, tls=known) as operator:
        operator.create_vrf("a")
        causes = []
        for files in strangers:
            with moorage.Client(secured.target, tls=files) as client:
                causes.append(outcome(lambda: client.get_vrf("a", timeout=0.5)))
        assert causes == ["UNKNOWN", "UNKNOWN", "UNKNOWN", "SERVER_BUSY"]
        operator.create_vrf("b")


def test_time_gives_back_one_after_the_other() -> None:
    now = [100.0]
    held = rates.Rates("one may", rates.Rate(each_second=2, at_once=3), lambda: now[0])

    def taken(seconds: float) -> int:
        now[0] += seconds
        for count in range(10):
            with contextlib.suppress(errors.ServerBusy):
                held.take("a")
                continue
            return count
        return 10

    assert [taken(seconds) for seconds in (0, 0.5, 1, 3600, 0)] == [3, 1, 2, 3, 0]
    with pytest.raises(errors.ServerBusy, match=r"^one may 2 in a second, 3 at once; send"):
        held.take("a")


def test_those_who_are_quiet_again_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "MOST", 2)
    now = [0.0]
    held = rates.Rates("one may", rates.Rate(each_second=1, at_once=2), lambda: now[0])
    for who in ("a", "b", "b"):
        held.take(who)
    now[0] = 1.5
    held.take("c")
    held.take("b")
    with pytest.raises(errors.ServerBusy):
        held.take("b")
