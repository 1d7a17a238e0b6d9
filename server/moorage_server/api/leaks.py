"""Releases what is leaked through the collector, each attachment by itself.

So each is locked, decided on and told of like any other release, and one that fails keeps
no other from it.
"""

import asyncio
import dataclasses
from collections.abc import Sequence

from moorage_server.api import errors as statuses
from moorage_server.api.collector import Collector
from moorage_server.domain import catalog, errors, model
from moorage_server.usecases.reconcile import Leak

# A quarter of a batch: calls that wait for an address go along with them.
AT_ONCE = 32


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An attachment that nothing could be done about, and why."""

    attachment: model.AttachmentKey
    refusal: errors.IpamError


async def release(
    collector: Collector, leaks: Sequence[Leak], deadline: float
) -> tuple[list[catalog.Shown], list[Failure]]:
    """What was released, and what could not be.

    In neither is what somebody has spoken for meanwhile, or released.
    """
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(leak: Leak) -> tuple[catalog.Shown, ...]:
        async with turn:
            return await collector.submit(leak.release, deadline)

    # Whatever ends one of them, it is of that one alone.
    outcomes = await asyncio.gather(*map(one, leaks), return_exceptions=True)
    released: list[catalog.Shown] = []
    failures: list[Failure] = []
    for leak, outcome in zip(leaks, outcomes, strict=True):
        if isinstance(outcome, tuple):
            released += outcome
        elif isinstance(outcome, Exception):
            refusal = statuses.refusal("ReconcileNode", outcome)
            failures.append(Failure(attachment=leak.release.attachment, refusal=refusal))
    return released, failures
