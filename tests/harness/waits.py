"""Sees calls wait, in servers of this process: a test goes on when they do, and sleeps for none."""

import threading
import time

import pytest

from moorage_server.api import vigils


class Watch:
    """Sees calls begin to wait."""

    def __init__(self) -> None:
        """Has seen none."""
        self.rests = threading.Semaphore(0)
        self.of: set[vigils.Vigils] = set()

    def see(self, calls: int = 1) -> None:
        """Returns when so many calls have begun to wait since the last look."""
        for _ in range(calls):
            assert self.rests.acquire(timeout=20)

    def see_none(self) -> None:
        """Returns when no call waits any more."""
        until = time.monotonic() + 20
        while any(each.resting for each in self.of):
            assert time.monotonic() < until
            time.sleep(0.005)


def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    """Sees calls begin to wait, in every server of the test."""
    made, rest = Watch(), vigils.Vigils.rest

    async def seen(self: vigils.Vigils, *args: object) -> None:
        made.of.add(self)
        made.rests.release()
        await rest(self, *args)  # type: ignore[arg-type]  # as they came

    monkeypatch.setattr(vigils.Vigils, "rest", seen)
    return made


def nobody_looks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until its time is over, a call that waits tries again only where there is news."""
    monkeypatch.setattr(vigils, "PAUSE", 1000.0)
