"""What a batch looks for at once: it is what its requests would have asked for one by one."""

import concurrent.futures
import math
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

import moorage
from harness import calls, postgres, world
from moorage.v1 import resources_pb2
from moorage_server.domain import model
from moorage_server.storage import catalogs
from moorage_server.storage import database as databases
from moorage_server.usecases import assign, batch, foresight, release
from moorage_server.usecases.ledger import Ledger, Request

OF_NODES = resources_pb2.BLOCK_AFFINITY_NODE
NODES = ("n1", "n2", "n3")
WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'
"""
BLOCKS = {"10.0.0.0/28", "10.0.0.16/28", "10.0.0.32/28"}


@pytest.fixture
def store(database: postgres.Database, client: moorage.Client) -> Iterator[databases.Database]:
    """The database, as a server uses it: each of three nodes has a block."""
    calls.create_pool(client, "a", "10.0.0.0/24", block_size=28, block_affinity=OF_NODES)
    for node in NODES:
        calls.assign(client, f"held-{node}", node=node)
    found = databases.Database(database.service_url, threads=1)
    yield found
    found.close()


def key(container: str, vrf: str = "default") -> model.AttachmentKey:
    return model.AttachmentKey(vrf=vrf, network="pods", container_id=container, interface="eth0")


def wanting(node: str, *pools: str, vrf: str = "default") -> model.AssignRequest:
    return model.AssignRequest(
        attachment=key(f"new-{node}", vrf),
        addresses=(world.any_ipv4(*pools),),
        facts=model.Facts(workload=model.Workload(node=node)),
    )


ASSIGNS: list[Request] = [wanting(node) for node in NODES]
RELEASES: list[Request] = [model.ReleaseRequest(attachment=key(f"held-{node}")) for node in NODES]


class Batch:
    """A batch whose requests are foreseen, and then decided."""

    def __init__(self, transaction: sa.Connection, requests: list[Request]) -> None:
        self.requests = requests
        self.ledger = Ledger(transaction, catalogs.Catalogs(), waiting=False)
        self.ledger.open(requests)

    def foresee(self) -> set[str]:
        """Returns the blocks that are on the shelf then."""
        for vrf, wanted in foresight.of(self.ledger, self.requests).items():
            self.ledger.foresee(vrf, wanted)
        return self.known()

    def decide(self) -> set[str]:
        """Returns the blocks that are on the shelf then."""
        for each in self.requests:
            if isinstance(each, model.AssignRequest):
                assign.assign(self.ledger, each)
            else:
                release.release(self.ledger, each)
        return self.known()

    def known(self) -> set[str]:
        return set(map(str, self.ledger.shelf("default").known()))


def limits() -> databases.Limits:
    return databases.Limits(lock=1, statement=5, deadline=math.inf)


def foreseen(store: databases.Database, requests: list[Request]) -> set[str]:
    return store.run(lambda transaction: Batch(transaction, requests).foresee(), limits())


@pytest.mark.parametrize("requests", [ASSIGNS, RELEASES], ids=["assigns", "releases"])
def test_nothing_is_asked_for_that_was_not_foreseen(
    store: databases.Database, requests: list[Request]
) -> None:
    def work(transaction: databases.Transaction) -> tuple[set[str], set[str]]:
        batch = Batch(transaction, requests)
        return batch.foresee(), batch.decide()

    assert store.run(work, limits()) == (BLOCKS, BLOCKS)


def test_what_another_has_locked_is_left_out(
    store: databases.Database, database: postgres.Database
) -> None:
    lock = "SELECT FROM blocks WHERE cidr = '10.0.0.16/28' FOR UPDATE"
    with database.connect() as other:
        other.execute(sa.text(lock))
        assert foreseen(store, ASSIGNS) == BLOCKS - {"10.0.0.16/28"}
        assert foreseen(store, RELEASES) == BLOCKS - {"10.0.0.16/28"}


def test_what_will_be_refused_is_not_foreseen(store: databases.Database) -> None:
    requests: list[Request] = [
        wanting("n1", "none"),
        wanting("n2", vrf="none"),
        model.ReleaseRequest(attachment=key("unknown")),
        *RELEASES[:2],
    ]
    assert foreseen(store, requests) == {"10.0.0.0/28", "10.0.0.16/28"}


def test_one_that_waits_for_its_locks_takes_them_in_their_order(
    store: databases.Database, database: postgres.Database, client: moorage.Client
) -> None:
    calls.create_pool(client, "b", "fd00::/112", block_size=124)
    calls.assign(client, "both", calls.want(calls.IPV4), calls.want(calls.IPV6), node="n1")
    release_both = [model.ReleaseRequest(attachment=key("both"))]

    def run() -> list[batch.Outcome]:
        compiled = catalogs.Catalogs()
        alone = batch.Locking.WAITING
        ran = batch.run(store, limits(), release_both, compiled=compiled, locking=alone)
        return ran.outcomes

    with database.connect() as first, concurrent.futures.ThreadPoolExecutor(1) as thread:
        first.execute(sa.text("SELECT FROM blocks WHERE cidr = '10.0.0.0/28' FOR UPDATE"))
        ran = thread.submit(run)
        while database.scalar(WAITING) == 0:
            assert not ran.done()
        with database.connect() as other:
            other.execute(sa.text("SELECT FROM blocks WHERE family(cidr) = 6 FOR UPDATE NOWAIT"))
        first.rollback()
        (released,) = ran.result()
    assert isinstance(released, tuple)
    assert len(released) == 2
