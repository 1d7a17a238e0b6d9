"""Clients that are kept warm: for how long, and what makes a new one of them."""

import pathlib
from collections.abc import Iterator

import pytest

import moorage
from harness import proxy, serving
from moorage.agent import servers
from moorage.agent.servers import Servers


@pytest.fixture
def answered() -> list[str]:
    """The targets that have answered."""
    return []


@pytest.fixture
def kept(answered: list[str], tmp_path: pathlib.Path) -> Iterator[Servers]:
    """The clients of an agent."""
    warm = Servers(answered.append, str(tmp_path))
    yield warm
    warm.close()


@pytest.fixture
def way(server: serving.Serving) -> Iterator[proxy.Proxy]:
    """The way to the server, which can be cut."""
    with proxy.in_front_of(int(server.target.rpartition(":")[2])) as between:
        yield between


def test_a_client_is_used_again(kept: Servers, way: proxy.Proxy, answered: list[str]) -> None:
    with kept.lend(way.target) as first, kept.lend(way.target) as second:
        assert first is second
        first.get_vrf("default")
    with kept.lend(way.target) as third:
        assert third is first
    assert answered == [way.target] * 3


def test_a_refusal_is_an_answer_and_no_reason_for_another_client(
    kept: Servers, way: proxy.Proxy, answered: list[str]
) -> None:
    with pytest.raises(moorage.NotFound), kept.lend(way.target) as first:
        first.get_vrf("gone")
    assert answered == [way.target]
    with kept.lend(way.target) as second:
        assert second is first


def test_one_that_got_no_answer_is_replaced_and_ends_nobody_elses_call(
    kept: Servers, way: proxy.Proxy, answered: list[str]
) -> None:
    with kept.lend(way.target) as first:
        first.get_vrf("default")
        way.leave()
        with pytest.raises(moorage.Unavailable), kept.lend(way.target) as same:
            same.get_vrf("default", timeout=0.2)
        assert same is first
        way.come_back()
        with kept.lend(way.target) as second:
            assert second is not first
            second.get_vrf("default")
        # It was given up, and still serves the one who had it before.
        first.get_vrf("default")
    assert answered == [way.target] * 2


def test_those_that_were_used_longest_ago_go_first(
    kept: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "MOST", 2)
    clients = {}
    for target in ("a:1", "b:1", "a:1", "c:1"):
        with kept.lend(target) as clients[target]:
            pass
    with kept.lend("a:1") as again:
        assert again is clients["a:1"]
    with kept.lend("b:1") as anew:
        assert anew is not clients["b:1"]
