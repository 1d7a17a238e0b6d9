"""A controller's terms: it acts while it leads, stops at once where it does not, and comes back."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from controller.ground import Clock, Cluster
from harness.kube import faults
from moorage.controller import lease, terms

PATH = "/apis/coordination.k8s.io/v1/namespaces/moorage/leases/controller"


class Log(logging.Handler):
    """What is logged, to be waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []
        self._come = threading.Condition()

    def emit(self, record: logging.LogRecord) -> None:
        with self._come:
            self.told.append(record.getMessage())
            self._come.notify_all()

    def wait_for(self, part: str, count: int = 1) -> None:
        """Returns once as many lines have this in them."""

        def come() -> bool:
            return len([line for line in self.told if part in line]) >= count

        with self._come:
            assert self._come.wait_for(come, timeout=30), self.told


@pytest.fixture
def log() -> Iterator[Log]:
    """The log of everything in the controller."""
    handler, logger = Log(), logging.getLogger("moorage.controller")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


def candidate(
    east: Cluster, name: str, *, duration: float = 1.0, clock: Callable[[], float] = time.monotonic
) -> lease.Lease:
    """Somebody who wants to lead."""
    named = lease.Name(namespace="moorage", lease="controller", identity=name)
    return lease.Lease(east.api, named, duration=duration, renew_within=duration * 0.8, clock=clock)


@contextlib.contextmanager
def running(
    east: Cluster, name: str = "one", *, clock: Callable[[], float] = time.monotonic
) -> Iterator[None]:
    """A controller in a thread; it has stopped in the end."""
    controller = terms.Controller(
        client=east.client,
        cluster=east.api,
        leadership=candidate(east, name, duration=60.0, clock=clock),
        settings=terms.Settings(name="east", vrf="default", grace=600, every=0.05, retry=0.05),
    )
    thread = threading.Thread(target=controller.run)
    thread.start()
    try:
        yield
    finally:
        controller.stop()
        thread.join(timeout=30)
        assert not thread.is_alive()


def take_over(east: Cluster, holder: str, seconds: int) -> None:
    """Somebody else has the lease, for so long."""
    document = east.kube.store.get(PATH)
    spec = document["spec"]
    assert isinstance(spec, dict)
    spec |= {"holderIdentity": holder, "leaseDurationSeconds": seconds}
    east.kube.store.put(PATH, document)


def test_what_a_killed_one_left_is_taken_over_and_carried_on(east: Cluster, log: Log) -> None:
    gone = east.assign("shop/web-0", uid="uid-gone")
    candidate(east, "killed").attempt()
    with running(east):
        log.wait_for("killed leads")
        log.wait_for("leading for cluster east")
        log.wait_for(f"suspect: {gone}")
        east.pass_time()
        log.wait_for(f"released: {gone}")


def test_whoever_loses_the_lease_stops_and_leads_again_when_it_is_free(
    east: Cluster, log: Log
) -> None:
    with running(east):
        log.wait_for("node n1: labels recorded")
        take_over(east, "usurper", 1)
        log.wait_for("not leading any more")
        assert not [thread for thread in threading.enumerate() if thread.name == "nodes"]
        east.kube.add_node("n2")
        log.wait_for("leading for cluster east", 2)
        log.wait_for("node n2: labels recorded")
    stopped, again = (
        [at for at, line in enumerate(log.told) if part in line]
        for part in ("not leading any more", "leading for cluster east")
    )
    recorded = log.told.index("node n2: labels recorded")
    assert stopped[0] < again[1] < recorded


def test_whoever_cannot_renew_stops_by_itself(east: Cluster, log: Log) -> None:
    clock = Clock()
    with running(east, clock=clock):
        log.wait_for("node n1: labels recorded")
        east.kube.misbehave = faults.only("/leases", faults.refusing(500))
        log.wait_for("HTTP status 500")
        clock.now += 49
        log.wait_for("not leading any more")
        east.kube.misbehave = None
        log.wait_for("leading for cluster east", 2)
        east.kube.add_node("n2")
        log.wait_for("node n2: labels recorded")
    assert log.told.index("not leading any more") < log.told.index("node n2: labels recorded")


def test_of_two_exactly_one_acts(east: Cluster, log: Log) -> None:
    with running(east, "one"), running(east, "two"):
        log.wait_for("leads")
        log.wait_for("node n1: labels recorded")
        for at in range(5):
            east.kube.add_node("n1", labels={"at": str(at)})
            log.wait_for("node n1: labels recorded", 2 + at)
        assert log.told.count("leading for cluster east and VRF default") == 1


def test_an_api_that_asks_for_patience_is_given_it(east: Cluster, log: Log) -> None:
    with running(east):
        log.wait_for("node n1: labels recorded")
        east.kube.misbehave = faults.only("/nodes", faults.refusing(429, retry_after=1))
        log.wait_for("HTTP status 429", 1)
        before = len(east.kube.requests)
        log.wait_for("nothing is collected", 2)
        asked = [path for path in east.kube.requests[before:] if "/nodes" in path]
        # The round and the watch, each once more; without patience there were dozens.
        assert len(asked) <= 4
        east.kube.misbehave = None
        east.kube.add_node("n2")
        log.wait_for("node n2: labels recorded")
