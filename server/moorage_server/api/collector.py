"""Collects concurrent assigns and releases into batches.

One batch runs at a time, on a thread of its own; the next begins when it has
committed, with whatever has arrived meanwhile. So a lone call never waits, and a
crowd shares one commit. What has to wait for another's release is kept aside by its
own call, and comes again as if it were new.

What a batch had to leave because of a lock waits for it meanwhile: together, in turn with what
others of the VRF have left, since who holds it is most often a batch of another server, which
ends in milliseconds. What is then still locked is somebody's who is no batch: it is run alone, on
the other threads, and what was left beside it goes on without it.
"""

import asyncio
import collections
import concurrent.futures
import functools
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import TYPE_CHECKING

import structlog

from moorage_server import traces
from moorage_server.api import backward, chores, corruption, measures
from moorage_server.api.admission import CROWDED_BATCH_SIZE, Admission, Class
from moorage_server.api.desk import Desk
from moorage_server.api.tickets import Queue, Ticket, class_of
from moorage_server.api.vigils import Vigils
from moorage_server.domain import errors, model
from moorage_server.domain.patience import Awaited
from moorage_server.storage import catalogs, database
from moorage_server.usecases import batch
from moorage_server.usecases.batch import Locking
from moorage_server.usecases.ledger import Request, Shown

if TYPE_CHECKING:
    from moorage_server.api.spans import Track

WAITING_CALLS = 4096  # more are refused at once with SERVER_BUSY; of releases twice as many
BATCH_LOCK_WAIT = 0.1  # seconds; a batch waits for no lock on purpose, this is a backstop
BATCH_TIME = 5.0  # seconds
TURN_LOCK_WAIT = 1.0  # seconds that a batch of what was left waits for one lock
# After a batch of so many the loop alone has the interpreter, until nobody waits outside any more.
# Who does, in gRPC's own queue, is of no class yet: releases would wait with all others.
LARGE_BATCH = 32
LONGEST_INTAKE = 1.0  # seconds
LAST_TRY = 0.25  # seconds of a call's time that it does not wait for a predecessor

# What would end every request of a batch alike; with any other error of a batch its
# requests are run again alone.
_ENDS_ALL = (errors.DatabaseUnavailable, errors.OutcomeUnknown)

_log = structlog.get_logger()


class Collector:
    """The queue of assigns and releases of one server process."""

    def __init__(
        self,
        desk: Desk,
        admission: Admission,
        compiled: catalogs.Catalogs,
        batches: measures.Batches,
        committed: Callable[[], None],
    ) -> None:
        """Uses the desk's threads for what runs alone; tells when something was `committed`."""
        self._desk = desk
        self._admission = admission
        self._committed = committed
        self._compiled = compiled
        self._batches = batches
        self._queue, self._left = Queue(admission), Queue(admission)
        # One each for what is new and for what was left.
        self._threads = concurrent.futures.ThreadPoolExecutor(2, "batch")
        # Half of the threads may wait for locks, a quarter for each class, so that no release waits
        # behind assigns; the others are for everything else.
        places = max(desk.threads // 4, 1)
        self._alone = {each: asyncio.Semaphore(places) for each in (Class.ASSIGN, Class.RELEASE)}
        self._tasks: set[asyncio.Task[None]] = set()
        self._vigils = Vigils()

    def start(self) -> None:
        """Begins to work on the running loop."""
        self._spawn(self._work())
        self._spawn(self._work_off())

    async def close(self) -> None:
        """Stops working; calls still waiting are told that the server is going away."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for queue in (self._queue, self._left):
            queue.close(errors.DatabaseUnavailable())
        self._threads.shutdown(wait=True)

    async def submit(self, request: Request, deadline: float) -> Shown:
        """The outcome of a request; `deadline` is on time.monotonic()'s clock."""
        self._require_room(class_of(request))
        if isinstance(request, model.AssignRequest) and request.wait:
            return await self._patiently(request, deadline)
        return await self._try(request, deadline)

    def hurry(self) -> None:
        """The server is going away: calls that wait for a predecessor are told so."""
        self._vigils.close()

    async def _patiently(self, request: model.AssignRequest, deadline: float) -> Shown:
        until = min(time.monotonic() + request.wait, deadline - LAST_TRY)
        with self._vigils.keep(request.attachment) as vigil:
            while True:
                vigil.listen()
                try:
                    return await self._try(request, deadline)
                except Awaited as outcome:
                    if time.monotonic() >= until:
                        raise outcome.refusal from None
                    await self._vigils.rest(vigil, outcome.awaited, until)

    async def _try(self, request: Request, deadline: float) -> Shown:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Shown] = loop.create_future()
        ticket = Ticket(request=request, deadline=deadline, answer=answer, track=_track())
        self._admission.waiting[ticket.of] += 1
        self._queue.add(ticket)
        # A database that is frozen answers nothing, not even that time is up. The loop's clock
        # is time.monotonic(), and asyncio.wait_for costs several times as much.
        expiry = loop.call_at(deadline, ticket.expire)
        try:
            return await ticket.answer
        finally:
            expiry.cancel()
            if not ticket.begun:
                self._admission.waiting[ticket.of] -= 1
            if ticket.track is not None:
                ticket.track.go_on()

    def _require_room(self, of: Class) -> None:
        present = len(self._queue) + len(self._left) + len(self._tasks) + self._vigils.resting
        most = 2 * WAITING_CALLS if of is Class.RELEASE else WAITING_CALLS
        if present >= most:
            self._admission.refuse(of)
        # Asked at the door already; but those of one moment all came through before any waited.
        elif self._admission.admits(of):
            return
        raise errors.ServerBusy

    async def _work(self) -> None:
        while True:
            tickets = await self._queue.next()
            began = time.monotonic()
            await self._run(tickets, Locking.SKIPPING)
            if len(tickets) >= LARGE_BATCH:
                await self._admission.take_up(min(time.monotonic() - began, LONGEST_INTAKE))
            if len(tickets) >= CROWDED_BATCH_SIZE:
                self._admission.served(len(tickets), time.monotonic() - began)

    async def _work_off(self) -> None:
        while True:
            await self._run(await self._left.next(), Locking.IN_TURN)

    async def _run(self, tickets: list[Ticket], locking: Locking) -> None:
        work = functools.partial(self._run_batch, tickets, locking, self._left.add)
        await self._survive(work, tickets)

    async def _survive(self, work: Callable[[], Awaitable[None]], tickets: list[Ticket]) -> None:
        if not await chores.survived(work, "a batch was lost"):
            # What became of it nobody knows; a retry will be told.
            for ticket in tickets:
                ticket.tell(errors.OutcomeUnknown())

    async def _run_batch(
        self, tickets: list[Ticket], locking: Locking, leave: Callable[[Ticket], None]
    ) -> None:
        limits = database.Limits(
            lock=TURN_LOCK_WAIT if locking is Locking.IN_TURN else BATCH_LOCK_WAIT,
            statement=BATCH_TIME,
            deadline=time.monotonic() + BATCH_TIME,
        )
        work = self._transaction(tickets, limits, locking)
        ran = asyncio.get_running_loop().run_in_executor(self._threads, work)
        await asyncio.wait([ran])
        error = ran.exception()
        if error is None:
            self._tell(tickets, await self._heeded(ran.result()), leave)
        elif isinstance(error, _ENDS_ALL):
            self._tell(tickets, [error] * len(tickets), leave)
        elif locking is Locking.IN_TURN and isinstance(error, errors.Contention):
            # Whoever has that lock is no batch. Who does not need it is not to wait for him.
            await self._run_batch(tickets, Locking.SKIPPING, self._leave_alone)
        else:
            # One of them breaks a rule, or waits for what is not given; alone it harms
            # nobody else.
            _log.info("batch failed, running its requests alone", why=repr(error))
            for ticket in tickets:
                self._leave_alone(ticket)

    def _leave_alone(self, ticket: Ticket) -> None:
        ticket.wait()
        work = functools.partial(self._run_alone, ticket)
        self._spawn(self._survive(work, [ticket]))

    def _tell(
        self,
        tickets: list[Ticket],
        outcomes: Sequence[batch.Outcome | BaseException],
        leave: Callable[[Ticket], None],
    ) -> None:
        # A repeated call changes nothing and is told of as well, which does no harm.
        if any(isinstance(outcome, tuple) and outcome for outcome in outcomes):
            self._committed()
        pairs = list(zip(tickets, outcomes, strict=True))
        self._vigils.tell(
            {
                ticket.request.attachment: [each.allocation.address for each in outcome]
                for ticket, outcome in pairs
                if isinstance(ticket.request, model.ReleaseRequest) and isinstance(outcome, tuple)
            }
        )
        for ticket, outcome in pairs:
            if outcome is batch.Deferred.DEFERRED:
                leave(ticket)
            else:
                ticket.tell(outcome)

    async def _run_alone(self, ticket: Ticket) -> None:
        outcome: batch.Outcome | BaseException = batch.Deferred.DEFERRED
        async with self._alone[ticket.of]:
            while outcome is batch.Deferred.DEFERRED and not ticket.answer.done():
                ticket.take()
                outcome = await self._once(ticket)
        if outcome is not batch.Deferred.DEFERRED:
            self._tell([ticket], [outcome], self._leave_alone)

    async def _once(self, ticket: Ticket) -> batch.Outcome | BaseException:
        limits = database.Limits.until(ticket.deadline)
        work = self._transaction([ticket], limits, Locking.WAITING)
        (ran,) = await asyncio.gather(self._desk.call(work), return_exceptions=True)
        if isinstance(ran, database.Corrupt):
            vrf = ticket.request.attachment.vrf
            await corruption.shut(self._desk.call, self._desk.store, ran, vrf)
        return ran if isinstance(ran, BaseException) else (await self._heeded(ran))[0]

    async def _heeded(self, ran: batch.Ran) -> Sequence[batch.Outcome]:
        """The outcomes; nobody is told, and no batch begun, before what went back is shut.

        Where it is not, nobody is told that it went back: it may be behind another that leads.
        """
        if not ran.lost:
            return ran.outcomes
        doubted = {
            vrf for vrf, seen in ran.lost.items() if not await backward.shut(self._desk, vrf, seen)
        }
        return [_unless_of(doubted, each) for each in ran.outcomes]

    def _transaction(
        self, tickets: list[Ticket], limits: database.Limits, locking: Locking
    ) -> Callable[[], batch.Ran]:
        requests = [ticket.request for ticket in tickets]

        def work() -> batch.Ran:
            began = time.monotonic()
            try:
                ran = batch.run(
                    self._desk.store, limits, requests, compiled=self._compiled, locking=locking
                )
            finally:
                self._batches.ran(locking, len(requests), time.monotonic() - began)
            left = ran.deferred if locking is Locking.SKIPPING else 0
            self._batches.decided(replays=ran.replays, empty=ran.empty, deferred=left)
            return ran

        return work if traces.spans is None else _traced(work, tickets, locking)

    def _spawn(self, work: "collections.abc.Coroutine[None, None, None]") -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _track() -> "Track | None":
    if traces.spans is None:
        return None
    from moorage_server.api import spans  # noqa: PLC0415  # loads OpenTelemetry

    return spans.track()


def _traced(
    work: Callable[[], batch.Ran], tickets: Sequence[Ticket], locking: Locking
) -> Callable[[], batch.Ran]:
    from moorage_server.api import spans  # noqa: PLC0415  # loads OpenTelemetry

    tracks = [ticket.track for ticket in tickets if ticket.track is not None]
    about: traces.Attributes = {
        "moorage.batch.size": len(tickets),
        "moorage.locking": locking.name.lower(),
    }
    return spans.batch(work, tracks, about)


def _unless_of(doubted: Collection[str], outcome: batch.Outcome) -> batch.Outcome:
    if isinstance(outcome, errors.VrfQuarantined) and outcome.metadata["vrf"] in doubted:
        return errors.DatabaseUnavailable()
    return outcome
