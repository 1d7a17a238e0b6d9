"""Nodes that go on while their database is restored: each knows what it was told, and no more."""

import random
import threading

import moorage
from harness import calls
from moorage import positions
from moorage.v1 import reconciliation_pb2

MOST = 6  # containers of one node
RELEASED = 0.4  # of its calls


class Caller:
    """One node: assigns and releases, through whatever server it is told, until it is stopped."""

    def __init__(self, name: str, seed: int) -> None:
        """Holds nothing yet."""
        self.name = name
        self.held: dict[str, str] = {}  # container -> address
        self.answered = 0  # assigns that were answered with an address that was new
        self.refused = threading.Event()
        self.failure: moorage.MoorageError | None = None
        self._chance = random.Random(seed)
        self._seen = positions.Seen()
        self._number = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, target: str) -> None:
        """Goes on, at this server."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, args=(target,), name=self.name)
        self._thread.start()

    def stop(self) -> None:
        """Returns when its last call is over."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def client(self, target: str) -> moorage.Client:
        """Its way to a server; shows it what this node was told."""
        return moorage.Client(target, timeout=20, seen=self._seen)

    def assign(self, client: moorage.Client) -> None:
        """A pod begins; raises MoorageError."""
        container = f"{self.name}-{self._number}"
        self._number += 1
        (given,) = calls.assign(client, container, node=self.name)
        self.held[container] = given.address
        self.answered += 1

    def release(self, client: moorage.Client, container: str) -> None:
        """A pod ends."""
        calls.release(client, container)
        del self.held[container]

    def list(self, client: moorage.Client) -> reconciliation_pb2.ReconcileNodeResponse:
        """Sends the list of all that it has, which nothing can be missing from."""
        listed = [calls.attachment(each) for each in self.held]
        return client.reconcile_node(self.name, listed, network="pods", grace=0)

    def _run(self, target: str) -> None:
        with self.client(target) as client:
            while not self._stop.is_set():
                try:
                    self._act(client)
                except moorage.MoorageError as error:
                    if error.reason != "VRF_QUARANTINED":
                        self.failure = error
                        return
                    self.refused.set()
                    self._stop.wait(0.01)

    def _act(self, client: moorage.Client) -> None:
        if len(self.held) >= MOST or (self.held and self._chance.random() < RELEASED):
            self.release(client, self._chance.choice(sorted(self.held)))
        else:
            self.assign(client)
