"""Waiting calls: who waits for which addresses to be released, and how they hear of it.

A call that waits has no thread, no lock and no place in the queue, only its vigil, which
ends with it. A vigil is kept from before the first try on, so that no release falls
between a try and the wait for the next one. What this server releases is heard of at
once; for what others do, every call looks again after a while.
"""

import asyncio
import contextlib
import time
from collections.abc import Collection, Iterator, Mapping

from moorage_server.domain import addresses, errors, model

PAUSE = 0.25  # seconds between two looks of one call
LOOKS = 100  # a second, of all calls together: where there are many, each looks less often

Releases = Mapping[model.AttachmentKey, Collection[addresses.Address]]


class Vigil:
    """One call that waits, or may have to."""

    def __init__(self, attachment: model.AttachmentKey) -> None:
        """Hears nothing yet; the call is of this attachment."""
        self.attachment = attachment
        self._awaited: Collection[addresses.Address] = ()
        self._heard: set[addresses.Address] = set()
        self._news = asyncio.Event()

    def listen(self) -> None:
        """A try begins: whatever is released from now on may be what it does not see."""
        self._awaited = ()
        self._heard = set()
        self._news.clear()

    def hear(self, released: Collection[addresses.Address]) -> None:
        """These addresses of its VRF were released."""
        self._heard.update(released)
        self._look()

    def disturb(self) -> None:
        """Ends the present rest."""
        self._news.set()

    async def rest(self, awaited: Collection[addresses.Address], seconds: float) -> None:
        """Returns when one of these has been released since `listen`, or time is up."""
        self._awaited = awaited
        self._look()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()

    def _look(self) -> None:
        if not self._awaited:
            return
        if not self._heard.isdisjoint(self._awaited):
            self._news.set()
        self._heard.clear()


class Vigils:
    """The vigils of one server process, on its event loop."""

    def __init__(self) -> None:
        """Begins with none."""
        self._kept: set[Vigil] = set()
        self._resting = 0
        self._closed = False

    @property
    def resting(self) -> int:
        """How many calls are between two tries."""
        return self._resting

    @contextlib.contextmanager
    def keep(self, attachment: model.AttachmentKey) -> Iterator[Vigil]:
        """A vigil for one call of an attachment."""
        vigil = Vigil(attachment)
        self._kept.add(vigil)
        try:
            yield vigil
        finally:
            self._kept.discard(vigil)

    async def rest(
        self, vigil: Vigil, awaited: Collection[addresses.Address], until: float
    ) -> None:
        """Returns when it is time to try again, at `until` for the last time.

        Raises DatabaseUnavailable where the server is going away.
        """
        seconds = min(max(PAUSE, len(self._kept) / LOOKS), until - time.monotonic())
        self._resting += 1
        try:
            if not self._closed:
                await vigil.rest(awaited, seconds)
        finally:
            self._resting -= 1
        if self._closed:
            raise errors.DatabaseUnavailable

    def tell(self, releases: Releases) -> None:
        """Releases were committed, each of these addresses."""
        by_vrf: dict[str, set[addresses.Address]] = {}
        for attachment, released in releases.items():
            by_vrf.setdefault(attachment.vrf, set()).update(released)
        for vigil in self._kept:
            if vigil.attachment in releases:
                vigil.disturb()  # what it waits for is not wanted any more
            elif vigil.attachment.vrf in by_vrf:
                vigil.hear(by_vrf[vigil.attachment.vrf])

    def close(self) -> None:
        """The server is going away: no call waits any more."""
        self._closed = True
        for vigil in self._kept:
            vigil.disturb()
