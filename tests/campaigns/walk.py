"""A random walk of nodes and their lists, which knows at every step which address is live.

An address is live while the sandbox that it was given to exists on its node, or while the ADD
that it was given to is under way and going to succeed. Everything on the way may be late,
lost, repeated and in another order; nodes reboot at any moment, and what they had is gone.

The walk keeps to what the collector rests on, and nothing else: from the moment an ADD begins
until lists have its sandbox, and from the making of a list until it is judged, no more passes
than the grace.
"""

import collections
import dataclasses
import functools
import heapq
import random
from collections.abc import Callable

from campaigns.books import Books, Released
from moorage_server.domain import model
from moorage_server.domain.reconciliation import ReconcileRequest

SECOND = 1_000_000_000  # nanoseconds


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pace:
    """How long things take, in seconds."""

    grace: int = 600
    longest_add: int = 480  # until lists have the sandbox
    oldest_list: int = 60  # when it is judged
    list_every: int = 30
    start_every: int = 12
    longest_life: int = 900
    reboot_every: int = 3000
    margin: int = 300  # by which stamps of lists are early, at most
    queue: int = 5  # from finding a leak to releasing it, at most
    returning: float = 0.15  # how likely a container is one that was there before
    nodes: int = 4

    @property
    def found_within(self) -> int:
        """The time in which every leak must be found."""
        return 2 * self.grace


@dataclasses.dataclass(kw_only=True)
class Life:
    """A sandbox, from the beginning of its ADD to its end."""

    key: model.AttachmentKey
    node: "Node" = dataclasses.field(repr=False)
    stamp: model.AttemptStamp
    doomed: bool
    generation: int | None = None
    listed: bool = False
    dead: bool = False

    @property
    def live(self) -> bool:
        """Whether what it was given is in use, or going to be."""
        return not (self.doomed or self.dead)


@dataclasses.dataclass(kw_only=True)
class Node:
    """A node since its last boot."""

    name: str
    boot: int = 0
    booted: int = 0
    lives: dict[model.AttachmentKey, Life] = dataclasses.field(default_factory=dict)
    used: list[model.AttachmentKey] = dataclasses.field(default_factory=list)
    lost_one: bool = False


class Walk:
    """Steps through random events; fails on the first live address that is collected."""

    def __init__(self, books: Books, pace: Pace, seed: int) -> None:
        self.now = 0
        self.counts: collections.Counter[str] = collections.Counter()
        self.slowest = 0  # seconds that the leak found last of all was there
        self._books, self._pace, self._random = books, pace, random.Random(seed)
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = 0
        self._lives: dict[int, Life] = {}
        self._leaked: dict[int, int] = {}  # since when, by generation; the oldest first
        for at in range(pace.nodes):
            node = Node(name=f"n{at}")
            self._again(pace.start_every, functools.partial(self._start, node))
            self._again(pace.list_every, functools.partial(self._list, node), exactly=True)
            self._again(pace.reboot_every, functools.partial(self._reboot, node))

    def run(self, steps: int) -> None:
        """Takes that many steps."""
        for _ in range(steps):
            self.now, _, event = heapq.heappop(self._queue)
            event()
            self._audit()
        self.counts["steps"] += steps

    def _after(self, seconds: int, event: Callable[[], None]) -> None:
        self._numbers += 1
        heapq.heappush(self._queue, (self.now + seconds, self._numbers, event))

    def _stamp(self, node: Node, *, early: int = 0) -> model.AttemptStamp:
        """A moment on a node's clock, unlike any other."""
        since = (self.now - node.booted - early) * SECOND + self._numbers
        boot_id = f"{node.name}-{node.boot}"
        return model.AttemptStamp(boot_id=boot_id, boot_time_ns=max(since, 1))

    def _again(self, every: int, event: Callable[[], None], *, exactly: bool = False) -> None:
        def happen() -> None:
            event()
            self._again(every, event, exactly=exactly)

        self._after(every if exactly else self._random.randint(1, 2 * every), happen)

    def _chance(self, probability: float) -> bool:
        return self._random.random() < probability

    def _soon(self, most: int) -> int:
        """Mostly a short time, now and then nearly the longest."""
        return self._random.randint(0, most if self._chance(0.2) else max(most // 20, 1))

    # ADD

    def _start(self, node: Node) -> None:
        life = Life(
            key=self._key(node),
            node=node,
            stamp=self._stamp(node),
            doomed=self._chance(0.1),
        )
        node.lives[life.key] = life
        longest = self._pace.longest_add
        ready = max(self._soon(longest), 1)
        for _ in range(1 + self._chance(0.2)):
            self._after(self._random.randint(0, ready), lambda: self._add(life))
        if self._chance(0.03):  # a try that its caller has long given up
            self._after(self._random.randint(0, 2 * longest), lambda: self._add(life))
        self._after(ready, lambda: self._ready(life))

    def _key(self, node: Node) -> model.AttachmentKey:
        """A new container, or one that was there before, as podman has it."""
        if node.used and self._chance(self._pace.returning):
            return node.used.pop(self._random.randrange(len(node.used)))
        self._numbers += 1
        container = f"c{self._numbers}"
        return model.AttachmentKey(
            vrf="default", network="pods", container_id=container, interface="eth0"
        )

    def _add(self, life: Life) -> None:
        generation = self._books.assign(life.key, life.node.name, life.stamp)
        self.counts["adds"] += 1
        if generation is None:
            self.counts["refused"] += 1
            self.counts["refused and wanted"] += life.live
            if not life.listed:  # the answer to a late repetition changes nothing
                self._die(life)
            return
        known = self._lives.get(generation)
        if known is not None and known is not life and known.live and not life.live:
            return  # a dead attempt was answered with what its successor has
        life.generation = generation
        self._lives[generation] = life
        self._leaked.pop(generation, None)
        if not life.live:
            self._leaked[generation] = self.now

    def _ready(self, life: Life) -> None:
        if life.doomed or life.generation is None:
            self._end(life)
        elif not life.dead:
            life.listed = True
            self._after(self._random.randint(1, self._pace.longest_life), lambda: self._end(life))

    # DEL

    def _end(self, life: Life) -> None:
        if life.dead:
            return
        self._die(life)
        life.node.used.append(life.key)
        if self._chance(0.6):
            stamp, late = self._stamp(life.node), self._chance(0.1)
            request = model.ReleaseRequest(attachment=life.key, attempt=stamp)
            longest = 4 * self._pace.grace if late else 10
            for _ in range(1 + self._chance(0.1)):
                delay = self._random.randint(0, longest)
                self._after(delay, lambda: self._gone(self._books.release(request)))

    def _die(self, life: Life) -> None:
        if life.dead:
            return
        life.dead, life.listed = True, False
        if life.node.lives.get(life.key) is life:
            del life.node.lives[life.key]
        if life.generation is not None and self._lives.get(life.generation) is life:
            self._leaked.pop(life.generation, None)
            self._leaked[life.generation] = self.now

    def _reboot(self, node: Node) -> None:
        self.counts["reboots"] += 1
        for life in list(node.lives.values()):
            self._die(life)
        node.boot, node.booted = node.boot + 1, self.now
        node.used.clear()

    # Lists

    def _list(self, node: Node) -> None:
        listed = frozenset(key for key, life in node.lives.items() if life.listed)
        early = self._random.choice([0, self._random.randint(0, self._pace.margin)])
        request = ReconcileRequest(
            vrf="default",
            node=node.name,
            listed=listed,
            attempt=self._stamp(node, early=early) if self._chance(0.5) else None,
            grace=self._pace.grace,
        )
        # One of two gets there: lists that come regularly are what leaks are found by.
        node.lost_one = not node.lost_one and self._chance(0.1)
        for _ in range(1 + self._chance(0.1) - node.lost_one):
            self._after(self._soon(self._pace.oldest_list), lambda: self._judge(request))

    def _judge(self, request: ReconcileRequest) -> None:
        self.counts["lists"] += 1
        released, leaks = self._books.reconcile(request, self.now)
        self._collected(released)
        for leak in leaks:
            delay = self._random.randint(0, self._pace.queue)
            self._after(delay, functools.partial(self._collect, leak))

    def _collect(self, leak: model.ReleaseRequest) -> None:
        self._collected(self._books.release(leak))

    def _collected(self, released: Released) -> None:
        for generation in released:
            life = self._lives[generation]
            assert not life.live, f"collected at {self.now}, and live: {life}"
            self.counts["collected"] += 1
            self.slowest = max(self.slowest, self.now - self._leaked[generation])
        self._gone(released)

    def _gone(self, released: Released) -> None:
        for generation in released:
            self._lives.pop(generation)
            self._leaked.pop(generation, None)

    def _audit(self) -> None:
        if self._leaked:
            generation, since = next(iter(self._leaked.items()))
            late = self.now - since - self._pace.found_within
            assert late <= 0, f"not found at {self.now}: {self._lives[generation]}"
