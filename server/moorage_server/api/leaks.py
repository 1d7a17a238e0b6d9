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

    async def one(leak: Leak) -> tuple[catalog.Shown, ...] | Failure:
        try:
            async with turn:
                return await collector.submit(leak.release, deadline)
        except Exception as error:  # whatever it is, it is of this one alone
            refusal = statuses.refusal("ReconcileNode", error)
            return Failure(attachment=leak.release.attachment, refusal=refusal)

    outcomes = await asyncio.gather(*map(one, leaks))
    failures = [each for each in outcomes if isinstance(each, Failure)]
    released = [each for each in outcomes if not isinstance(each, Failure)]
    return [shown for each in released for shown in each], failures
