"""Who changes allocations in a campaign: processes on the use case itself, callers, and a nuisance.

One server's RPCs are too slow to make a million events in reasonable time, so most come
from processes that run `usecases.batch`, as a server's collector does.
"""

import concurrent.futures
import contextlib
import dataclasses
import itertools
import multiprocessing
import random
import threading
import time
from collections.abc import Iterator
from multiprocessing.synchronize import Event

import psycopg
import sqlalchemy as sa

import moorage
from harness import calls
from moorage.v1 import resources_pb2 as messages
from moorage_server.domain import addresses, errors, model
from moorage_server.storage import catalogs, database
from moorage_server.usecases import batch

POOL = "10.0.0.0/20"
HOT = "10.9.0.0/28"  # addresses that everybody wants
NODES = 8
BATCH = 96  # requests of a transaction at most
HELD = 250  # attachments of each process at most, more or less
CONTAINERS = 1000

_HOT = [addresses.parse_address(f"10.9.0.{at}") for at in range(16)]


@dataclasses.dataclass
class Holder:
    """One process's attachments: those that hold something, and which comes next."""

    name: str
    chance: random.Random
    held: list[model.AttachmentKey] = dataclasses.field(default_factory=list)
    numbers: Iterator[int] = dataclasses.field(default_factory=itertools.count)

    def requests(self) -> list[model.AssignRequest | model.ReleaseRequest]:
        """What is asked for next: some releases and some assigns, of different attachments."""
        releases = [
            model.ReleaseRequest(attachment=each)
            for each in self.held[: max(len(self.held) - HELD, self.chance.randrange(BATCH // 2))]
        ]
        fresh = {self._key() for _ in range(self.chance.randrange(1, BATCH))} - set(self.held)
        return [*releases, *map(self._assign, sorted(fresh, key=str))]

    def note(self, asked: model.AssignRequest | model.ReleaseRequest, outcome: object) -> None:
        """Remembers what came of it."""
        if not isinstance(outcome, tuple):
            return
        if isinstance(asked, model.AssignRequest):
            self.held.append(asked.attachment)
        else:
            self.held.remove(asked.attachment)

    def _key(self) -> model.AttachmentKey:
        container = f"{self.name}-{next(self.numbers) % CONTAINERS}"
        return model.AttachmentKey(
            vrf="default", network="pods", container_id=container, interface="eth0"
        )

    def _assign(self, key: model.AttachmentKey) -> model.AssignRequest:
        want = model.AddressRequest(family=addresses.Family.IPV4, pools=("a",))
        wants = (want,) * self.chance.randrange(1, 9)
        if self.chance.random() < 0.2:
            chosen = tuple(self.chance.sample(_HOT, 4))
            wants = (model.AddressRequest(family=addresses.Family.IPV4, candidates=chosen),)
        node = f"n{self.chance.randrange(NODES)}"
        workload = model.Workload(node=node, namespace="shop", pod=key.container_id)
        return model.AssignRequest(
            attachment=key, addresses=wants, facts=model.Facts(workload=workload)
        )


def hold(url: str, seed: int, stop: Event) -> None:
    """What a process does: batch after batch, until it is told to stop."""
    store, compiled = database.Database(url, threads=1), catalogs.Catalogs()
    holder = Holder(name=f"p{seed}", chance=random.Random(seed))
    while not stop.is_set():
        requests = holder.requests()
        limits = database.Limits(lock=0.5, statement=5, deadline=time.monotonic() + 10)
        with contextlib.suppress(errors.IpamError, database.Fault):
            ran = batch.run(
                store, limits, requests, compiled=compiled, locking=batch.Locking.SKIPPING
            )
            for asked, outcome in zip(requests, ran.outcomes, strict=True):
                holder.note(asked, outcome)
    store.close()


def call(targets: list[str], seed: int, stop: threading.Event) -> None:
    """What a caller does: assigns and releases through whatever server."""
    chance = random.Random(seed)
    with contextlib.ExitStack() as until:
        clients = [until.enter_context(moorage.Client(each, timeout=30)) for each in targets]
        for turn in itertools.count():
            if stop.is_set():
                return
            attachment = calls.attachment(f"caller-{seed}-{turn % 100}")
            workload = messages.Workload(node=f"n{turn % NODES}", namespace="shop", pod="caller")
            with contextlib.suppress(moorage.MoorageError):
                wanted = [calls.want(pools=("a",))]
                chance.choice(clients).assign(attachment, wanted, workload=workload)
                chance.choice(clients).release(attachment)


def disturb(conninfo: str, stop: threading.Event) -> None:
    """Transactions of uneven length, some of which draw ids of events and roll back."""
    chance = random.Random(0)
    with psycopg.connect(conninfo, autocommit=True) as connection:
        while not stop.wait(chance.expovariate(20)):
            connection.execute("BEGIN")
            connection.execute("SELECT pg_current_xact_id()")
            for _ in range(chance.randrange(3)):
                connection.execute("SELECT nextval('events_event_id_seq')")
            stop.wait(chance.uniform(0, 0.06))
            connection.execute("ROLLBACK")


@contextlib.contextmanager
def at_work(url: str, admin_url: str, targets: list[str], processes: int) -> Iterator[None]:
    """Everybody writes."""
    spawn = multiprocessing.get_context("spawn")
    stop, stopping = spawn.Event(), threading.Event()
    conninfo = sa.make_url(admin_url).set(drivername="postgresql")
    holders = [spawn.Process(target=hold, args=(url, at, stop)) for at in range(processes)]
    for each in holders:
        each.start()
    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        threads.submit(call, targets, 100, stopping)
        threads.submit(disturb, conninfo.render_as_string(hide_password=False), stopping)
        try:
            yield
        finally:
            stop.set()
            stopping.set()
    for each in holders:
        each.join()
