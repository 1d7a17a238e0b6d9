"""Questions about the past, asked while it goes on, and answered from what the callers saw.

The callers keep a log of their own: when each call for an address was sent, and when its
answer came, by the clock that the database has too. So each address has moments at which
only one answer can be right, and moments inside of a call, of which nothing is asked.
"""

import collections
import dataclasses
import datetime
import random
import threading
import time
from collections.abc import Sequence

import moorage
from harness import calls
from moorage.v1 import filter_pb2

Client = moorage.Client
# A change carries the time at which its row is written; clocks are read a moment apart.
MARGIN = datetime.timedelta(milliseconds=1)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One call that changed who holds an address: somebody, or with None nobody."""

    sent: datetime.datetime
    answered: datetime.datetime
    holder: str | None


@dataclasses.dataclass(slots=True)
class Tally:
    """What the campaign has found."""

    asked: int = 0
    right: int = 0
    skipped: int = 0
    held: int = 0
    wrong: list[str] = dataclasses.field(default_factory=list)


class Log:
    """What the callers saw of each address, each of which one caller has to itself at a time."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self.began = now()
        self._steps: dict[str, list[Step]] = {address: [] for address in addresses}
        self._under_way: dict[str, datetime.datetime] = {}
        self._lock = threading.Lock()

    def begin(self, address: str) -> datetime.datetime:
        with self._lock:
            self._under_way[address] = sent = now()
        return sent

    def end(self, address: str, sent: datetime.datetime, holder: str | None) -> None:
        with self._lock:
            del self._under_way[address]
            self._steps[address].append(Step(sent=sent, answered=now(), holder=holder))

    def moment(self, chance: random.Random) -> tuple[str, datetime.datetime]:
        """An address, and a moment since the campaign began: half of them the latest."""
        address, latest = chance.choice(list(self._steps)), now()
        length = (latest - self.began).total_seconds()
        back = chance.random() * (length if chance.random() < 0.5 else min(length, 0.5))
        return address, latest - datetime.timedelta(seconds=back)

    def answer(self, address: str, at: datetime.datetime) -> tuple[bool, str | None]:
        """Whether only one answer is right, and which."""
        with self._lock:
            steps = list(self._steps[address])
            under_way = self._under_way.get(address)
        if under_way is not None and at > under_way - MARGIN:
            return False, None
        if any(step.sent - MARGIN < at < step.answered + MARGIN for step in steps):
            return False, None
        before = [step for step in steps if step.answered <= at]
        return True, before[-1].holder if before else None


class Churn:
    """Callers that assign and release at random, each with addresses that nobody else touches."""

    def __init__(self, client: Client, log: Log, addresses: Sequence[str], *, callers: int) -> None:
        self._client, self._log, self._done = client, log, threading.Event()
        self._numbers = collections.Counter[str]()
        self.failures: list[str] = []
        shares = [addresses[at::callers] for at in range(callers)]
        self._threads = [threading.Thread(target=self._go_on, args=(share,)) for share in shares]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> int:
        """Ends it; returns how many assigns there were."""
        self._done.set()
        for thread in self._threads:
            thread.join()
        return sum(self._numbers.values())

    def _go_on(self, addresses: Sequence[str]) -> None:
        chance = random.Random(addresses[0])
        held: dict[str, str] = {}
        try:
            while not self._done.is_set():
                self._step(chance.choice(addresses), held, chance)
        except Exception as error:
            self.failures.append(repr(error))

    def _step(self, address: str, held: dict[str, str], chance: random.Random) -> None:
        if address in held and chance.random() < 0.3:
            self._restart(address, held)
        elif address in held:
            self._release(address, held.pop(address))
        else:
            held[address] = self._assign(address)

    def _assign(self, address: str) -> str:
        self._numbers[address] += 1
        container = f"{address.replace(':', '-')}.{self._numbers[address]}"
        sent = self._log.begin(address)
        calls.assign(self._client, container, calls.fixed(address), node="n1")
        self._log.end(address, sent, container)
        return container

    def _release(self, address: str, container: str) -> None:
        sent = self._log.begin(address)
        assert calls.release(self._client, container) == [address]
        self._log.end(address, sent, None)

    def _restart(self, address: str, held: dict[str, str]) -> None:
        """Another holder at once: nobody is seen in between, but for a moment."""
        self._release(address, held.pop(address))
        held[address] = self._assign(address)


def ask(client: Client, log: Log, questions: int, chance: random.Random, tally: Tally) -> None:
    """Asks, and checks; a moment inside of a call is passed over."""
    while tally.asked < questions:
        address, at = log.moment(chance)
        # What is under way now may reach back to that moment, but nothing that begins later.
        definite, _ = log.answer(address, at)
        if not definite:
            tally.skipped += 1
            continue
        found = client.history(filter_pb2.AllocationFilter(cidr=address), at=at)
        told = [each.allocation.attachment.container_id for each in found]
        definite, expected = log.answer(address, at)
        assert definite
        tally.asked += 1
        tally.held += expected is not None
        if told == ([expected] if expected else []):
            tally.right += 1
        else:
            tally.wrong.append(f"{address} at {at}: {told}, and it was {expected}")


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def run(client: Client, *, questions: int, callers: int = 4, asking: int = 2) -> tuple[Tally, int]:
    """The tally of a whole campaign, and how many assigns there were meanwhile."""
    addresses = [f"10.0.0.{at}" for at in range(24)] + [f"fd00::{at:x}" for at in range(1, 25)]
    log = Log(addresses)
    churn = Churn(client, log, addresses, callers=callers)
    churn.start()
    tallies = [Tally() for _ in range(asking)]
    share = -(-questions // asking)
    askers = [
        threading.Thread(target=ask, args=(client, log, share, random.Random(at), tally))
        for at, tally in enumerate(tallies)
    ]
    try:
        time.sleep(0.2)
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join()
    finally:
        assigned = churn.stop()
    assert not churn.failures, churn.failures
    return _sum(tallies), assigned


def _sum(tallies: Sequence[Tally]) -> Tally:
    total = Tally()
    for each in tallies:
        total.asked += each.asked
        total.right += each.right
        total.skipped += each.skipped
        total.held += each.held
        total.wrong += each.wrong
    return total
