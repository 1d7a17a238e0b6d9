"""Calls that wait for their turn in a transaction, and which of them go next."""

import asyncio
import collections
import dataclasses
import itertools
import time
from typing import TYPE_CHECKING

from moorage_server.api.admission import Admission, Class
from moorage_server.domain import errors, model
from moorage_server.usecases.ledger import Request, Shown

if TYPE_CHECKING:
    from moorage_server.api.spans import Track

_FIRST_FIRST = (Class.RELEASE, Class.ASSIGN)


def class_of(request: Request) -> Class:
    """The class of a call with this request."""
    return Class.ASSIGN if isinstance(request, model.AssignRequest) else Class.RELEASE


@dataclasses.dataclass(slots=True, kw_only=True)
class Ticket:
    """A waiting call; `deadline` is on time.monotonic()'s clock."""

    request: Request
    deadline: float
    answer: "asyncio.Future[Shown]"
    begun: bool = False  # once a transaction had it
    in_hand: bool = False  # while one has it, which may commit what it makes of it
    track: "Track | None" = None  # where its call is traced

    @property
    def of(self) -> Class:
        """The class of its call."""
        return class_of(self.request)

    def wait(self) -> None:
        """No transaction has it; nothing of it was written so far."""
        self.in_hand = False
        if self.track is not None:
            self.track.wait()

    def take(self) -> None:
        """A transaction has it from now on."""
        self.in_hand = True
        if self.track is not None:
            self.track.go_on()

    def expire(self) -> None:
        """Its time is up."""
        self.tell(errors.OutcomeUnknown() if self.in_hand else errors.DeadlineTooShort())

    def tell(self, outcome: Shown | BaseException) -> None:
        """Answers the call, unless that was done already."""
        if self.answer.done():
            return  # the caller has gone; what was committed stays, and answers its retry
        if isinstance(outcome, BaseException):
            self.answer.set_exception(outcome)
        else:
            self.answer.set_result(outcome)


class Queue:
    """Tickets in the order in which they came, those of releases before all others.

    What a release gives back may be what an assign waits for.
    """

    def __init__(self, admission: Admission) -> None:
        """Nobody waits; who is taken for the first time is told of to `admission`."""
        self._admission = admission
        self._tickets = {each: collections.deque[Ticket]() for each in _FIRST_FIRST}
        self._arrived = asyncio.Event()

    def __len__(self) -> int:
        """How many wait."""
        return sum(map(len, self._tickets.values()))

    def add(self, ticket: Ticket) -> None:
        """Behind all others of its class; nothing of it was written so far."""
        ticket.wait()
        self._tickets[ticket.of].append(ticket)
        self._arrived.set()

    async def next(self) -> list[Ticket]:
        """The calls for the next batch, when there are some: at most one for each attachment."""
        while True:
            await self._arrived.wait()
            if taken := self._take():
                return taken

    def close(self, refusal: errors.IpamError) -> None:
        """Tells everybody who waits that it is in vain."""
        for ticket in itertools.chain(*self._tickets.values()):
            ticket.tell(refusal)

    def _take(self) -> list[Ticket]:
        taken: dict[model.AttachmentKey, Ticket] = {}
        for queue in self._tickets.values():
            self._move(queue, taken)
        if not len(self):
            self._arrived.clear()
        return list(taken.values())

    def _move(
        self, queue: "collections.deque[Ticket]", taken: dict[model.AttachmentKey, Ticket]
    ) -> None:
        """Takes what still waits from a queue until a batch is full."""
        left: list[Ticket] = []
        most = self._admission.batch_size
        while queue and len(taken) < most:
            ticket = queue.popleft()
            if ticket.answer.done():
                continue
            if time.monotonic() >= ticket.deadline:
                ticket.expire()
            elif ticket.request.attachment in taken:
                left.append(ticket)
            else:
                self._begin(ticket)
                taken[ticket.request.attachment] = ticket
        queue.extendleft(reversed(left))

    def _begin(self, ticket: Ticket) -> None:
        ticket.take()
        if not ticket.begun:
            ticket.begun = True
            self._admission.waiting[ticket.of] -= 1
