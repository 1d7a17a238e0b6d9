"""Who watches in a campaign: comes and goes at random, here and there, and forgets nothing."""

import array
import dataclasses
import random
import threading

import moorage
from moorage import mirror
from moorage.v1 import filter_pb2, history_pb2

TAKEN = 4  # updates of one connection at most
# Seconds without a word of its one server, which may be started anew on a machine that is busy.
PATIENCE = 180.0


@dataclasses.dataclass
class Consumer:
    """One consumer; a thread runs `consume`, and others may look."""

    targets: list[str]
    seed: int
    wanted: filter_pb2.AllocationFilter | None = None
    condition: str = "true"  # the filter, in SQL, of an event e
    connections: int = 0
    failure: BaseException | None = None
    stopping: threading.Event = dataclasses.field(default_factory=threading.Event)
    # Of what was told, in the order told.
    revisions: "array.array[int]" = dataclasses.field(default_factory=lambda: array.array("q"))
    generations: "array.array[int]" = dataclasses.field(default_factory=lambda: array.array("q"))
    inverted: int = 0

    def __post_init__(self) -> None:
        """Knows nothing."""
        self.copy = mirror.Mirror(filtered=self.wanted is not None)
        self._newest: dict[str, int] = {}
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    @property
    def revision(self) -> int:
        """How far it has come."""
        return self.copy.cursor.revision if self.copy.cursor else -1

    def _run(self) -> None:
        try:
            self._consume()
        except BaseException as error:  # it is the test's to raise
            self.failure = error

    def _consume(self) -> None:
        chance = random.Random(self.seed)
        clients = [moorage.Client(each, timeout=30) for each in self.targets]
        while not self.stopping.is_set():
            self.connections += 1
            client, left = chance.choice(clients), chance.randrange(1, TAKEN)
            with client.watch(self.wanted, cursor=self.copy.cursor, timeout=PATIENCE) as updates:
                for update in updates:
                    self._take(update)
                    left -= 1
                    if left <= 0 or self.stopping.is_set():
                        break
        for each in clients:
            each.close()

    def _take(self, update: moorage.watch.Update) -> None:
        assert update.held is None or self.copy.cursor is None, "a cursor was not gone on from"
        self.copy.apply(update)
        for event in update.events:
            self._note(event)

    def _note(self, event: history_pb2.AllocationEvent) -> None:
        self.revisions.append(event.revision)
        self.generations.append(event.generation)
        address = event.allocation.address
        self.inverted += event.generation <= self._newest.get(address, 0)
        self._newest[address] = event.generation
