"""Sends what is in the journal: oldest first, at once when a server has answered, else with pauses.

A thread of its own. One server that is away, or one release that is refused, holds up no other.
"""

import logging
import threading
import time
from collections.abc import Callable

from moorage import attempts, jitter
from moorage.agent import logs
from moorage.agent.journal import Journal
from moorage.cni import errors, incident
from moorage.cni.deadline import Deadline
from moorage.cni.release import Release

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
LONGEST_TRY = 5.0

# What stands in the journal and cannot be read has a pause of its own.
_UNREAD = "unread"

_LOG = logging.getLogger(__name__)

Send = Callable[[Release, Deadline], None]


class _Pauses:
    """Until when to leave alone a server, or the release of one attachment."""

    def __init__(self) -> None:
        self._until: dict[object, tuple[float, float]] = {}

    def defer(self, what: object) -> None:
        """Begin a pause, twice as long as the one before, and never in step with other nodes."""
        _, step = self._until.get(what, (0.0, FIRST_PAUSE))
        until = time.monotonic() + jitter.between(step / 2, step)
        self._until[what] = until, min(2 * step, LONGEST_PAUSE)

    def end(self, what: object) -> bool:
        """End a pause; says whether there was one."""
        return self._until.pop(what, None) is not None

    def left(self, what: object) -> float:
        """How long the pause will last."""
        until, _ = self._until.get(what, (0.0, 0.0))
        return max(until - time.monotonic(), 0.0)

    def has(self, what: object) -> bool:
        """Whether it failed the last time it was tried."""
        return what in self._until


class Sender:
    """Sends with `send`, which raises CniError as calls.release does."""

    def __init__(self, journal: Journal, send: Send) -> None:
        """Begins with `start`."""
        self._journal = journal
        self._send = send
        self._pauses = _Pauses()
        self._woken = threading.Event()
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)

    def start(self) -> None:
        """Send what is there, and go on."""
        self._thread.start()

    def stop(self) -> None:
        """Begin nothing new; what is on its way may be cut off, and is sent again."""
        self._is_stopping = True
        self._woken.set()

    def kept(self, server: str, *, is_unheard: bool) -> None:
        """There is something new to send to a server, from which nothing was heard just now."""
        if is_unheard:
            self._pauses.defer(server)
        self._woken.set()

    def answered(self, server: str) -> None:
        """A server has answered somebody: what waits for it is sent at once."""
        if self._pauses.end(server):
            self._woken.set()

    def is_away(self, server: str) -> bool:
        """Whether nothing was heard of a server since a release could not be sent there."""
        return self._pauses.has(server)

    def _run(self) -> None:
        while not self._is_stopping:
            self._woken.clear()
            self._read_again()
            waiting = self._journal.oldest_first()
            for each in waiting:
                if not self._is_stopping and not self._pause(each):
                    self.send(each, Deadline.after(LONGEST_TRY))
            pauses = list(map(self._pause, self._journal.oldest_first()))
            if self._journal.has_unread():
                pauses.append(self._pauses.left(_UNREAD))
            self._woken.wait(min(pauses, default=None))

    def _read_again(self) -> None:
        if self._journal.has_unread() and not self._pauses.left(_UNREAD):
            self._pauses.defer(_UNREAD)
            self._journal.read_again()

    def _pause(self, release: Release) -> float:
        return max(self._pauses.left(release.server), self._pauses.left(release.attachment))

    def send(self, release: Release, deadline: Deadline) -> errors.CniError | None:
        """Send one release that waits; returns why it could not be done, and then it stays."""
        try:
            self._send(of_this_boot(release), deadline)
        except errors.CniError as error:
            is_away = error.code is errors.Code.TRY_AGAIN_LATER
            self._pauses.defer(release.server if is_away else release.attachment)
            logs.tell(
                _LOG,
                logging.WARNING,
                "a release waits" if is_away else "a release was refused, and waits",
                container=release.container_id,
                interface=release.interface,
                server=release.server,
                code=int(error.code),
                **logs.request(error),
            )
            return error
        except Exception as error:  # whatever it is, it is of this release: the others go on
            self._pauses.defer(release.attachment)
            where = incident.places(error)
            logs.tell(_LOG, logging.ERROR, "fault", error=type(error).__name__, at=where)
            return _cannot_be_sent(release)
        self._journal.remove(release)
        self._pauses.end(release.attachment)
        logs.tell(
            _LOG,
            logging.INFO,
            "sent a release that waited",
            container=release.container_id,
            interface=release.interface,
        )
        return None


def _cannot_be_sent(release: Release) -> errors.CniError:
    return errors.CniError(
        errors.Code.INTERNAL,
        f"the release of {release.container_id} that waits for server {release.server} cannot be "
        "sent",
        "the log of moorage-agent says where it fails",
    )


def of_this_boot(release: Release) -> Release:
    """Return a release as the first act of this boot, if it is of an earlier one.

    Stamps of two boots cannot be compared, and the server takes what arrives later for the newer.
    But a release that was kept over a boot is older than all that began in this one.
    """
    now = attempts.stamp()
    if now is None or now.boot_id == release.boot_id:
        return release
    return release._replace(boot_id=now.boot_id, boot_time_ns=1)
