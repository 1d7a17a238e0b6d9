"""Calls that wait for their turn in a transaction, and which of them go next."""

import asyncio
import collections
import dataclasses
import time

from moorage_server.domain import errors, model
from moorage_server.usecases.ledger import Request, Shown

BATCH_SIZE = 128


@dataclasses.dataclass(slots=True, kw_only=True)
class Ticket:
    """A waiting call; `begun` once a transaction has it, `deadline` on time.monotonic()'s clock."""

    request: Request
    deadline: float
    answer: "asyncio.Future[Shown]"
    begun: bool = False

    def expire(self) -> None:
        """Its time is up."""
        self.tell(errors.OutcomeUnknown() if self.begun else errors.DeadlineTooShort())

    def tell(self, outcome: Shown | BaseException) -> None:
        """Answers the call, unless that was done already."""
        if self.answer.done():
            return  # the caller has gone; what was committed stays, and answers its retry
        if isinstance(outcome, BaseException):
            self.answer.set_exception(outcome)
        else:
            self.answer.set_result(outcome)


class Queue:
    """Tickets in the order in which they came."""

    def __init__(self) -> None:
        """Nobody waits."""
        self._tickets: collections.deque[Ticket] = collections.deque()
        self._arrived = asyncio.Event()

    def __len__(self) -> int:
        """How many wait."""
        return len(self._tickets)

    def add(self, ticket: Ticket) -> None:
        """Behind all others."""
        self._tickets.append(ticket)
        self._arrived.set()

    async def next(self) -> list[Ticket]:
        """The calls for the next batch, when there are some: at most one for each attachment."""
        while True:
            await self._arrived.wait()
            if taken := self._take():
                return taken

    def close(self, refusal: errors.IpamError) -> None:
        """Tells everybody who waits that it is in vain."""
        for ticket in self._tickets:
            ticket.tell(refusal)

    def _take(self) -> list[Ticket]:
        taken: dict[model.AttachmentKey, Ticket] = {}
        left: list[Ticket] = []
        while self._tickets and len(taken) < BATCH_SIZE:
            ticket = self._tickets.popleft()
            if ticket.answer.done():
                continue
            if time.monotonic() >= ticket.deadline:
                ticket.expire()
            elif ticket.request.attachment in taken:
                left.append(ticket)
            else:
                ticket.begun = True
                taken[ticket.request.attachment] = ticket
        self._tickets.extendleft(reversed(left))
        if not self._tickets:
            self._arrived.clear()
        return list(taken.values())
