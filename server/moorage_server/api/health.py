"""Whether a server lives and is ready, for whoever asks over HTTP.

The two are apart: one that is not ready is to be spared calls, one that does not live is to be
started anew. They are answered in threads beside the event loop, so that a server with too much
to do is not mistaken for one that hangs.
"""

import asyncio
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

BEAT = 1.0  # seconds
SILENCE = 15.0  # seconds without a beat, after which the loop is taken to hang


class Health:
    """What the event loop says of itself, and what is known of the database."""

    def __init__(self) -> None:
        """Lives, and is not ready."""
        self._is_well = self._leaves = False
        self._beaten_at = time.monotonic()

    @property
    def is_ready(self) -> bool:
        """Whether it is to be sent calls."""
        return self._is_well and not self._leaves and self.is_alive

    def note(self, *, ready: bool) -> None:
        """What a look at the database has come to."""
        self._is_well = ready

    def leave(self) -> None:
        """Is not ready from now on, whatever a look may come to."""
        self._leaves = True

    @property
    def is_alive(self) -> bool:
        """Whether the event loop turns."""
        return time.monotonic() - self._beaten_at < SILENCE

    async def beat(self) -> None:
        """Says so again and again."""
        while True:
            self._beaten_at = time.monotonic()
            await asyncio.sleep(BEAT)

    def answering(self, otherwise: "WSGIApplication") -> "WSGIApplication":
        """An application for `/livez` and `/readyz`; all else is for another."""

        def application(
            environment: "WSGIEnvironment", respond: "StartResponse"
        ) -> Iterable[bytes]:
            match environment["PATH_INFO"]:
                case "/livez":
                    return _answer(respond, well=self.is_alive)
                case "/readyz":
                    return _answer(respond, well=self.is_ready)
                case _:
                    return otherwise(environment, respond)

        return application


def _answer(respond: "StartResponse", *, well: bool) -> Iterable[bytes]:
    respond("200 OK" if well else "503 Service Unavailable", [("Content-Type", "text/plain")])
    return [b"ok\n" if well else b"no\n"]
