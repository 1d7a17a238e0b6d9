"""Leading by a Lease: one at a time, whatever clocks say and whatever the API server does."""

import concurrent.futures
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.ground import Clock
from harness.kube import api_server, faults
from moorage import kube as api
from moorage.controller import credentials, lease

PATH = "/apis/coordination.k8s.io/v1/namespaces/moorage/leases/controller"


class Candidate(lease.Lease):
    """One with a clock of its own."""

    def __init__(self, kube: api_server.ApiServer, name: str, *, now: float = 1000.0) -> None:
        self.clock = Clock()
        self.clock.now = now
        named = lease.Name(namespace="moorage", lease="controller", identity=name)
        cluster = api.Api(credentials.of_kubeconfig(str(kube.kubeconfig)), timeout=2)
        super().__init__(cluster, named, clock=self.clock)


@pytest.fixture
def kube(tmp_path: Path) -> Iterator[api_server.ApiServer]:
    """An API server without objects."""
    with api_server.serve(tmp_path) as server:
        yield server


@pytest.fixture
def a(kube: api_server.ApiServer) -> Candidate:
    """One candidate."""
    return Candidate(kube, "a")


@pytest.fixture
def b(kube: api_server.ApiServer) -> Candidate:
    """Another one, whose clock says something else."""
    return Candidate(kube, "b", now=9e6)


def pass_time(seconds: float, *candidates: Candidate) -> None:
    """The same time goes by for all."""
    for each in candidates:
        each.clock.now += seconds


def spec(kube: api_server.ApiServer) -> dict[str, object]:
    """What is written in the Lease."""
    found = kube.objects[PATH]["spec"]
    assert isinstance(found, dict)
    return found


def test_whoever_comes_first_leads_and_the_others_wait(
    kube: api_server.ApiServer, a: Candidate, b: Candidate
) -> None:
    a.attempt()
    b.attempt()
    assert (a.leading, b.leading) == (True, False)
    assert spec(kube)["holderIdentity"] == "a"
    assert (spec(kube)["leaseDurationSeconds"], spec(kube)["leaseTransitions"]) == (15, 0)
    with pytest.raises(lease.NotLeading):
        b.remaining()


def test_as_long_as_it_is_renewed_nobody_takes_over(a: Candidate, b: Candidate) -> None:
    for _ in range(20):
        a.attempt()
        b.attempt()
        assert (a.leading, b.leading) == (True, False)
        pass_time(9, a, b)


def test_it_is_taken_over_once_no_renewal_was_seen_for_its_duration(
    kube: api_server.ApiServer, a: Candidate, b: Candidate
) -> None:
    a.attempt()
    b.attempt()
    pass_time(14.9, a, b)
    b.attempt()
    assert not b.leading
    pass_time(0.2, a, b)
    b.attempt()
    assert b.leading
    assert spec(kube)["leaseTransitions"] == 1


def test_whoever_leads_stops_before_anybody_can_take_over(a: Candidate, b: Candidate) -> None:
    a.attempt()
    b.attempt()
    pass_time(9.9, a, b)
    assert 0 < a.remaining() < 0.2
    pass_time(0.2, a, b)
    assert not a.leading
    b.attempt()
    assert not b.leading


def test_who_has_just_come_waits_for_the_whole_duration_whatever_is_written(
    kube: api_server.ApiServer, a: Candidate
) -> None:
    # A clock that is a year slow wrote it: by its time it ran out long ago.
    a.attempt()
    document = kube.store.get(PATH)
    written = document["spec"]
    assert isinstance(written, dict)
    written["renewTime"] = "2020-01-01T00:00:00.000000Z"
    kube.store.put(PATH, document)
    late = Candidate(kube, "late")
    late.attempt()
    pass_time(14, late)
    late.attempt()
    assert not late.leading
    pass_time(2, late)
    late.attempt()
    assert late.leading


def test_a_renewal_that_took_long_counts_from_when_it_was_asked_for(
    kube: api_server.ApiServer, a: Candidate
) -> None:
    a.attempt()

    def slow(handler: api_server.Handler) -> None:
        if handler.command == "PUT":
            a.clock.now += 9
        handler.proceed()

    kube.misbehave = slow
    a.attempt()
    assert a.remaining() == pytest.approx(1)


def test_a_leader_that_sees_another_one_stops_at_once(
    kube: api_server.ApiServer, a: Candidate
) -> None:
    a.attempt()
    document = kube.store.get(PATH)
    written = document["spec"]
    assert isinstance(written, dict)
    written["holderIdentity"] = "usurper"
    kube.store.put(PATH, document)
    a.attempt()
    assert not a.leading


def test_of_two_that_write_at_once_one_leads(
    kube: api_server.ApiServer, a: Candidate, b: Candidate
) -> None:
    both = threading.Barrier(2)

    def meet(handler: api_server.Handler) -> None:
        if handler.command in ("POST", "PUT"):
            both.wait(20)
        handler.proceed()

    kube.misbehave = meet
    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        for outcome in [threads.submit(a.attempt), threads.submit(b.attempt)]:
            assert outcome.exception() is None or isinstance(outcome.exception(), api.ApiError)
    assert a.leading is not b.leading
    # Likewise where the lease is there and has run out.
    pass_time(30, a, b)
    kube.misbehave = None
    loser = b if spec(kube)["holderIdentity"] == "a" else a
    loser.attempt()
    pass_time(16, a, b)
    kube.misbehave = meet
    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        for outcome in [threads.submit(a.attempt), threads.submit(b.attempt)]:
            assert outcome.exception() is None
    assert a.leading is not b.leading


FAULTS = {
    "401": faults.refusing(401),
    "403": faults.refusing(403),
    "409": faults.refusing(409),
    "429": faults.refusing(429, retry_after=30),
    "500": faults.refusing(500),
    "truncated": faults.truncating(b"{"),
    "no JSON": faults.answering(b"<html>"),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
def test_whatever_the_api_answers_nobody_leads_by_it(
    kube: api_server.ApiServer, a: Candidate, b: Candidate, fault: faults.Fault
) -> None:
    kube.misbehave = fault
    with pytest.raises(api.ApiError):
        a.attempt()
    assert not a.leading
    kube.misbehave = None
    a.attempt()
    kube.misbehave = fault
    for candidate in (a, b):
        with pytest.raises(api.ApiError):
            candidate.attempt()
    assert (a.leading, b.leading) == (True, False)
    pass_time(11, a, b)
    assert not a.leading


def test_a_renewal_whose_answer_is_lost_was_none(
    kube: api_server.ApiServer, a: Candidate, b: Candidate
) -> None:
    def lose(handler: api_server.Handler) -> None:
        if handler.command != "PUT":
            handler.proceed()
            return
        path = handler.api.path_of(handler.path)
        handler.api.store.replace(
            path, json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        )
        handler.close_connection = True

    a.attempt()
    pass_time(5, a, b)
    kube.misbehave = lose
    with pytest.raises(api.ApiError):
        a.attempt()
    assert a.remaining() == pytest.approx(5)
    b.attempt()
    kube.misbehave = None
    a.attempt()
    assert a.remaining() == pytest.approx(10)


def test_what_is_given_up_is_free_at_once(
    kube: api_server.ApiServer, a: Candidate, b: Candidate
) -> None:
    a.attempt()
    b.attempt()
    a.release()
    assert not a.leading
    assert spec(kube)["holderIdentity"] == ""
    b.attempt()
    assert b.leading


def test_nobody_gives_up_what_is_anothers(
    kube: api_server.ApiServer, a: Candidate, b: Candidate
) -> None:
    b.release()
    a.attempt()
    b.release()
    assert spec(kube)["holderIdentity"] == "a"
    assert a.leading


def test_what_others_wrote_into_the_lease_stays(kube: api_server.ApiServer, a: Candidate) -> None:
    a.attempt()
    document = kube.store.get(PATH)
    document["metadata"] = {**dict(document["metadata"]), "labels": {"team": "net"}}  # type: ignore[call-overload]
    kube.store.put(PATH, document)
    a.attempt()
    metadata = kube.objects[PATH]["metadata"]
    assert isinstance(metadata, dict)
    assert metadata["labels"] == {"team": "net"}
