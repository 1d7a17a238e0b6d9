"""Namespaces in the agent: answered from memory while a watch is heard of, else asked for."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.node import until
from harness.kube import api_server
from moorage import kube
from moorage.agent import namespace_feed, namespaces
from moorage.agent.namespaces import Namespaces
from moorage.cni import errors, settings
from moorage.cni.deadline import Deadline

ALL = "/api/v1/namespaces"
SHOP = f"{ALL}/shop"


@pytest.fixture
def api(tmp_path: Path) -> Iterator[api_server.ApiServer]:
    """An API server with some namespaces."""
    with api_server.serve(tmp_path) as server:
        for name in ("bar", "club", "den", "shop"):
            server.add("Namespace", name, labels={"tier": "1"})
        yield server


@pytest.fixture
def known() -> Iterator[Namespaces]:
    """What an agent knows."""
    memory = Namespaces()
    yield memory
    memory.stop()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespaces, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(namespaces, "LONGEST_PAUSE", 0.05)
    monkeypatch.setattr(kube, "PAGE_SIZE", 2)


def cluster(api: api_server.ApiServer) -> settings.Cluster:
    """How the API is reached."""
    fields = {"kubeconfig": "", "client_certificate": "", "client_key": ""} | api.settings
    return settings.Cluster(**fields)


def tier(known: Namespaces, api: api_server.ApiServer, name: str = "shop") -> str:
    """What an ADD is told of a namespace."""
    with known.api(cluster(api), Deadline.after(10)) as asked:
        return asked.namespace(name).labels.get("tier", "")


def sync(known: Namespaces, api: api_server.ApiServer) -> list[str]:
    """Waits until it is watched; returns what was asked for one by one until then.

    The first question begins the watch, which may be there before it is asked.
    """
    tier(known, api)
    until(lambda: known.current() == 1)
    return single(api)


def lists(api: api_server.ApiServer) -> list[str]:
    """The requests for lists."""
    return [each for each in api.requests if each.startswith(f"{ALL}?limit")]


def single(api: api_server.ApiServer) -> list[str]:
    """The requests for single namespaces so far."""
    return [each for each in api.requests if each.startswith(f"{ALL}/")]


def forbid(api: api_server.ApiServer) -> None:
    """Nobody may list or watch any more."""
    api.granted = {("get", "", "namespaces")}
    api.end_watches()


def test_what_is_watched_is_not_asked_for(known: Namespaces, api: api_server.ApiServer) -> None:
    asked = sync(known, api)
    for name in ("bar", "club", "den", "shop"):
        assert tier(known, api, name) == "1"
    assert single(api) == asked
    # In pages, and from where the list was made.
    assert ["continue" in each for each in lists(api)] == [False, True]
    (watch,) = (each for each in api.requests if "watch=" in each)
    assert f"resourceVersion={api.store.revision}&allowWatchBookmarks=true" in watch


def test_a_change_is_known_when_it_is_heard_of(
    known: Namespaces, api: api_server.ApiServer
) -> None:
    asked = sync(known, api)
    for value in "234":
        api.add("Namespace", "shop", labels={"tier": value})
        until(lambda: tier(known, api) == value)  # noqa: B023 - called at once
    assert single(api) == asked


def test_what_is_not_known_the_api_is_asked_for(
    known: Namespaces, api: api_server.ApiServer
) -> None:
    sync(known, api)
    api.add("Namespace", "young", labels={"tier": "5"})
    assert tier(known, api, "young") == "5"
    api.store.remove(SHOP)

    refusals: list[errors.CniError] = []

    def is_refused() -> bool:
        try:
            tier(known, api)
        except errors.CniError as refusal:
            refusals.append(refusal)
        return bool(refusals)

    until(is_refused)  # until it is heard of, it is what it was
    assert refusals[0].code is errors.Code.KUBERNETES_REFUSED
    assert single(api)[-1] == SHOP


def test_who_may_not_list_asks_for_each(known: Namespaces, api: api_server.ApiServer) -> None:
    forbid(api)
    for _ in range(3):
        assert tier(known, api) == "1"
    assert single(api) == [SHOP] * 3
    until(lambda: len(lists(api)) > 1)
    assert known.current() == 0


def test_without_a_watch_nothing_is_answered_from_memory(
    known: Namespaces, api: api_server.ApiServer
) -> None:
    asked = sync(known, api)
    # The watch ends, and no other begins; what changes now is not heard of.
    forbid(api)
    until(lambda: known.current() == 0)
    api.add("Namespace", "shop", labels={"tier": "3"})
    assert tier(known, api) == "3"
    assert single(api) == [*asked, SHOP]
    api.granted = None
    until(lambda: known.current() == 1)
    assert tier(known, api) == "3"
    assert single(api) == [*asked, SHOP]


def test_a_watch_that_is_not_heard_of_is_not_believed(
    known: Namespaces, api: api_server.ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = sync(known, api)
    monkeypatch.setattr(namespace_feed, "SILENCE", 0.0)
    assert known.current() == 0
    assert tier(known, api) == "1"
    assert single(api) == [*asked, SHOP]


def test_from_a_version_that_is_too_old_it_begins_anew(
    known: Namespaces, api: api_server.ApiServer
) -> None:
    sync(known, api)
    before = len(lists(api))
    api.add("Namespace", "shop", labels={"tier": "2"})
    api.add("Namespace", "shop", labels={"tier": "3"})
    api.store.compact()
    until(lambda: len(lists(api)) > before)
    until(lambda: known.current() == 1)
    assert tier(known, api) == "3"


def test_other_credentials_are_another_watch(
    known: Namespaces, api: api_server.ApiServer, tmp_path: Path
) -> None:
    sync(known, api)
    (tmp_path / "token").write_text("revoked")
    with pytest.raises(errors.CniError) as refused:
        tier(known, api)
    assert refused.value.code is errors.Code.KUBERNETES_REFUSED


def test_no_more_clusters_are_watched_than_a_node_can_have(
    known: Namespaces, api: api_server.ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(namespaces, "MOST", 1)
    sync(known, api)
    by_certificate = settings.Cluster(
        kubeconfig="",
        api_root=api.root,
        ca_file=api.settings["ca_file"],
        token_file="",
        client_certificate=str(api.directory / "client.pem"),
        client_key=str(api.directory / "client.key"),
    )
    with known.api(by_certificate, Deadline.after(10)) as asked:
        assert asked.namespace("shop").labels == {"tier": "1"}
    until(lambda: known.current() == 1)
    # The first is not there any more, and begins anew.
    api.requests.clear()
    forbid(api)
    assert tier(known, api) == "1"
    assert single(api) == [SHOP]
