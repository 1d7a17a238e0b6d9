"""What is fetched over https again and again, and kept as it was where that fails.

However many ask for it anew, it is fetched once in a while at most: what strangers can make a
server ask for, they could make it ask for a thousand times a second.
"""

import asyncio
import contextlib
import http.client
import ssl
import time
import urllib.parse
from collections.abc import Callable
from typing import Final, Generic, TypeVar

import structlog

from moorage_server.api.chores import survived

EVERY: Final = 300.0  # seconds from one fetch to the next, whether or not anybody asks
LEAST: Final = 10.0  # ... and where somebody asks, or it has failed
TIMEOUT: Final = 5.0  # seconds, of connecting and of each answer

T = TypeVar("T")

_log = structlog.get_logger()


class Fetched(Generic[T]):
    """What a URL says; None until it has been fetched."""

    def __init__(self, what: str, url: str, ca: str, read: Callable[[bytes], T], most: int) -> None:
        """`ca` has authorities, else the machine's count; `read` raises ValueError; `most` bytes
        are taken.
        """
        self._what = what
        self._url = urllib.parse.urlsplit(url)
        self._ca = ca
        self._read = read
        self._most = most
        self._content: bytes | None = None
        self._value: T | None = None
        self._begun_at = -LEAST
        self._fetching: asyncio.Task[None] | None = None

    def get(self) -> T | None:
        """What was fetched last."""
        return self._value

    async def renew(self) -> None:
        """Returns when it has been fetched, or at once where that was begun a moment ago."""
        if self._fetching is None:
            if time.monotonic() < self._begun_at + LEAST:
                return
            self._begun_at = time.monotonic()
            self._fetching = asyncio.create_task(self._fetch())
        # Whoever stops waiting leaves it to the others.
        await asyncio.shield(self._fetching)

    async def keep_fresh(self) -> None:
        """Goes on until cancelled."""
        while True:
            await asyncio.sleep(LEAST if self._value is None else EVERY)
            await survived(self.renew, f"{self._what} not fetched")

    async def _fetch(self) -> None:
        try:
            content = await asyncio.to_thread(self._download)
            if content != self._content:
                # The same again is no other: what was believed by it still is.
                self._value, self._content = self._read(content), content
                _log.info("fetched anew", what=self._what)
        except (OSError, http.client.HTTPException, ValueError) as error:
            _log.error("cannot be fetched", what=self._what, why=str(error) or repr(error))
        finally:
            self._fetching = None

    def _download(self) -> bytes:
        context = ssl.create_default_context(cafile=self._ca or None)
        connection = http.client.HTTPSConnection(
            self._url.hostname or "", self._url.port, timeout=TIMEOUT, context=context
        )
        with contextlib.closing(connection):
            path = urllib.parse.urlunsplit(("", "", self._url.path or "/", self._url.query, ""))
            connection.request("GET", path, headers={"Accept": "application/json"})
            response = connection.getresponse()
            if response.status != http.client.OK:
                raise ValueError(f"{self._url.netloc} answered with status {response.status}")
            return self._body(response)

    def _body(self, response: http.client.HTTPResponse) -> bytes:
        content, until = b"", time.monotonic() + TIMEOUT
        while part := response.read1(self._most):
            content += part
            if len(content) > self._most:
                raise ValueError(f"{self._url.netloc} sends more than {self._most} bytes")
            if time.monotonic() > until:
                raise TimeoutError(f"{self._url.netloc} takes longer than {TIMEOUT:g} s")
        return content
