"""One restoration of an older backup under running nodes, from the first call to the last list."""

import contextlib
import random
import time
from collections.abc import Callable

import moorage
from harness import calls, postgres, restoring, serving
from moorage.v1 import resources_pb2
from restore.callers import Caller

CALLERS = 4
PATIENCE = 60.0  # seconds
WENT_BACK = resources_pb2.QUARANTINE_CAUSE_WENT_BACK

_LAST = "SELECT coalesce(max(event_id), 0) FROM events"
_ASSIGNED_SINCE = "SELECT count(*) FROM events WHERE kind = 'ASSIGNED' AND event_id > :last"
_HELD = "SELECT host(address) FROM allocations ORDER BY 1"
_LATER = "UPDATE ticks SET tick = tick + 2"


class Trial:
    """Four nodes, two servers, and one database that goes back in time under them.

    With `new_servers` none that has seen what is lost goes on, else both do.
    """

    def __init__(self, database: postgres.Database, seed: int, *, new_servers: bool) -> None:
        """Nothing has happened yet."""
        self._database = database
        self._chance = random.Random(seed)
        self._new_servers = new_servers
        self._servers = contextlib.ExitStack()
        self._targets: list[str] = []
        seeds = [self._chance.randrange(1 << 30) for _ in range(CALLERS)]
        self._callers = [Caller(f"n{at}", seed) for at, seed in enumerate(seeds)]

    def run(self) -> int:
        """Fails unless it was noticed in time; returns how many events were lost."""
        with self._servers:
            self._serve()
            with moorage.Client(self._targets[0]) as client:
                calls.create_pool(client, "a", "10.0.0.0/26", block_size=28)
            try:
                self._start()
                return self._run()
            finally:
                self._stop()

    def _run(self) -> int:
        self._go_on(self._chance.randint(1, 8))
        with restoring.backup(self._database) as backup:
            kept = backup.number(_LAST)
            self._go_on(self._chance.randint(2, 12))
            if self._new_servers:
                self._stop()
                self._servers.close()
            lost = int(str(self._database.scalar(_LAST))) - kept
            backup.restore()
            if self._new_servers:
                self._serve()
                self._start()
        self._wait(lambda: all(each.refused.is_set() for each in self._callers))
        self._stop()
        new = self._database.scalar(_ASSIGNED_SINCE, last=kept)
        assert new == 0, f"{new} addresses were assigned before it was noticed"
        self._reconcile()
        return lost

    def _reconcile(self) -> None:
        """The lists of all nodes, until the VRF is open; then nobody has another's address."""
        with contextlib.ExitStack() as until:
            clients = {
                each: until.enter_context(each.client(self._targets[0])) for each in self._callers
            }
            one = clients[self._callers[0]]
            assert [each.cause for each in one.get_vrf("default").quarantines] == [WENT_BACK]
            self._database.execute(_LATER)
            for node, client in clients.items():
                for each in node.list(client).unknown:
                    # It has an address of which nobody knows: the pod is ended.
                    node.release(client, each.container_id)
            self._database.execute(_LATER)
            for node, client in clients.items():
                assert not node.list(client).unknown
            assert not one.get_vrf("default").quarantines
            for node, client in clients.items():
                node.assign(client)
        held = [address for each in self._callers for address in each.held.values()]
        assert sorted(held) == [row[0] for row in self._database.rows(_HELD)]

    def _serve(self) -> None:
        servers = [
            self._servers.enter_context(serving.in_process(self._database)) for _ in range(2)
        ]
        self._targets = [each.target for each in servers]

    def _start(self) -> None:
        for at, each in enumerate(self._callers):
            each.start(self._targets[at % len(self._targets)])

    def _stop(self) -> None:
        for each in self._callers:
            each.stop()

    def _go_on(self, assigns: int) -> None:
        """Returns once every node was answered so many times."""
        goals = {each: each.answered + assigns for each in self._callers}
        self._wait(lambda: all(each.answered >= goal for each, goal in goals.items()))

    def _wait(self, come: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE
        while not come():
            failures = [each.failure for each in self._callers if each.failure]
            assert not failures, failures
            assert time.monotonic() < until, "it did not come to it"
            time.sleep(0.005)
