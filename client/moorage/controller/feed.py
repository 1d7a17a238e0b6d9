"""The nodes of the cluster as they change: list, watch, and list anew where that breaks off.

What it misses is found by the next round, which asks for everything itself; so it never decides
that a node is gone.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping

from moorage import kube
from moorage.controller import nodes

WATCH_SECONDS = 240  # after which the server ends a watch, and we begin the next
SILENCE = 90.0  # seconds; a server that is well sends a bookmark every minute
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0

_LOG = logging.getLogger(__name__)


class Feed:
    """A thread that calls `changed` with every node that is new or not as it was."""

    def __init__(
        self, cluster: kube.Api, changed: Callable[[nodes.Node], None], *, silence: float = SILENCE
    ) -> None:
        self._cluster = cluster
        self._changed = changed
        self._silence = silence
        self._stopping = threading.Event()
        self._watch: kube.Watch | None = None
        self._thread = threading.Thread(target=self._run, name="nodes", daemon=True)
        self._version = ""
        self._pause = FIRST_PAUSE

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End it, also in the middle of a watch."""
        self._stopping.set()
        if self._watch is not None:
            self._watch.break_off()
        if self._thread.ident is not None:
            self._thread.join(timeout=kube.TIMEOUT)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                if not self._version:
                    self._list()
                self._follow()
            except kube.ApiError as error:
                self._after(error)
            except Exception:  # this thread has no other to end it: all is listed anew
                _LOG.exception("the nodes of the cluster cannot be followed")
                self._version = ""
                self._stopping.wait(LONGEST_PAUSE)

    def _list(self) -> None:
        found, version = nodes.complete(self._cluster)
        for node in found.values():
            if not self._stopping.is_set():
                self._changed(node)
        self._version = version

    def _follow(self) -> None:
        query = {
            "resourceVersion": self._version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        with self._cluster.watch(nodes.PATH, query, self._silence) as watch:
            self._watch, began, is_quiet = watch, time.monotonic(), True
            # From here on whoever stops us finds the watch; before, they may have come too early.
            events = iter(watch)
            while not self._stopping.is_set() and (event := next(events, None)):
                self._take(*event)
                self._pause, is_quiet = FIRST_PAUSE, False
        if is_quiet and time.monotonic() - began < FIRST_PAUSE:
            raise kube.ApiError("a watch of the nodes ended at once")

    def _take(self, kind: str, document: kube.Document) -> None:
        if kind in ("ADDED", "MODIFIED"):
            self._changed(nodes.of(document))
        metadata = document.get("metadata")
        version = metadata.get("resourceVersion") if isinstance(metadata, Mapping) else None
        self._version = str(version or "")

    def _after(self, error: kube.ApiError) -> None:
        if self._stopping.is_set():
            return
        _LOG.info("%s; the nodes are listed or watched again", error)
        if kube.is_gone(error):
            self._version = ""
        self._stopping.wait(max(self._pause, error.retry_after))
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
