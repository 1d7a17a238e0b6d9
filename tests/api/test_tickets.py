"""Calls that wait: what they are told when their time is up before they had their turn."""

import asyncio
import time

import pytest

from moorage_server.api.admission import Admission
from moorage_server.api.tickets import Queue, Ticket
from moorage_server.domain import errors, model

KEY = model.AttachmentKey(vrf="default", network="pods", container_id="c1", interface="eth0")


@pytest.mark.parametrize(
    ("taken", "left", "told"),
    [
        (False, False, errors.DeadlineTooShort),
        (True, False, errors.OutcomeUnknown),
        # A batch had it, and has written nothing of it.
        (True, True, errors.DeadlineTooShort),
    ],
)
def test_a_call_is_in_doubt_while_a_transaction_has_it_alone(
    taken: bool, left: bool, told: type[errors.IpamError]
) -> None:
    async def expire() -> BaseException | None:
        ticket = Ticket(
            request=model.ReleaseRequest(attachment=KEY),
            deadline=time.monotonic() + 60,
            answer=asyncio.get_running_loop().create_future(),
        )
        queue = Queue(Admission())
        queue.add(ticket)
        if taken:
            assert await queue.next() == [ticket]
        if left:
            queue.add(ticket)
        ticket.expire()
        return ticket.answer.exception()

    assert isinstance(asyncio.run(expire()), told)
