"""Notices a database that answers nobody or leads no more, and ends the waiting for it.

A PostgreSQL that is frozen keeps its connections, and its machine acknowledges what is sent
there: neither keep-alives nor limits of PostgreSQL's own end a wait, while another one may
lead already. So when a transaction takes some time, the database is asked for a sign of life,
over a connection of its own that needs neither a role nor a place: one that is slow, full, or
waits for a lock or for its standby gives it. One that has lost its agent gives it too, and its
COMMITs wait for ever for a standby that follows another by now: so in the end the others are asked.
And a single process of PostgreSQL may stand still while all others answer: nothing ends its
statement then, so a transaction that is over its time is given up, unless its COMMIT was sent.

Connections to one that is given up are shut down; what that means for a transaction depends on
whether its COMMIT was sent, as it always does.
"""

import contextlib
import dataclasses
import math
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import psycopg
import structlog

from moorage_server.storage.hosts import ANY, Host

PATIENCE = 1.5  # seconds that a transaction may take before it is wondered at
PERIOD = 0.5  # seconds between two looks
SILENCE = 3.0  # seconds without a sign of life
LONG = 5.0  # seconds that a transaction takes before others are asked whether they lead, and again
# Seconds over its time. A process that is alive ends each statement itself by then, so that a
# batch of several slow ones is not cut off, and done again as slowly.
STILL = 5.0

# PostgreSQL's SSLRequest: it is answered with one byte by any server that accepts connections.
_ARE_YOU_THERE = struct.pack("!ii", 8, 80_877_103)

_log = structlog.get_logger()
T = TypeVar("T")
Peer = tuple[Any, socket.AddressFamily]  # a socket's address, and what kind it is


@dataclasses.dataclass(eq=False, slots=True)
class Line:
    """What one transaction speaks over, as soon as it has that."""

    wire: socket.socket | None = None
    host: Host = ANY
    since: float = math.inf
    deadline: float = math.inf  # when nobody waits for it any more, on time.monotonic()'s clock

    def take(self, connection: psycopg.Connection[Any], host: Host, deadline: float) -> None:
        """Speaks over this connection from now on."""
        # A descriptor of its own: the connection's may be another one's by the time it is closed.
        self.wire = socket.socket(fileno=os.dup(connection.fileno()))
        self.host, self.since, self.deadline = host, time.monotonic(), deadline

    def commits(self) -> None:
        """From now on it is waited for: a COMMIT may wait for a standby, and is not sent again."""
        self.deadline = math.inf

    def end(self) -> None:
        """Whoever waits for an answer hears that there will be none."""
        if self.wire is not None:
            with contextlib.suppress(OSError):
                self.wire.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Is of no more use."""
        if self.wire is not None:
            self.wire.close()


class Pulse:
    """Looks after the transactions of one pool of connections, in a thread of its own."""

    def __init__(self, another_leads: Callable[[Host], bool]) -> None:
        """Looks from the first transaction on."""
        # Held while a line is ended, so that it is nobody else's by then.
        self._lock = threading.Lock()
        self._lines: set[Line] = set()
        self._another_leads = another_leads
        self._asked = 0.0  # when others were asked
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def felt(self) -> Iterator[Line]:
        """The line of a transaction: it is ended if the host of its connection is lost."""
        line = Line()
        with self._lock:
            self._lines.add(line)
            self._begin()
        try:
            yield line
        finally:
            with self._lock:
                self._lines.discard(line)
            line.close()

    def close(self) -> None:
        """Looks no more."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._look, name="pulse", daemon=True)
            self._thread.start()

    def _look(self) -> None:
        while not self._closing.wait(PERIOD):
            try:
                self._look_once(time.monotonic())
            except Exception:  # whatever it is, the next look begins anew
                _log.exception("not known whether the database answers")

    def _look_once(self, now: float) -> None:
        for peer in {_peer(line) for line in self._begun_before(now - PATIENCE)}:
            if peer is not None and not answers(peer, SILENCE):
                self._end(peer, _peer, why="it does not answer")
        self._end(True, lambda line: line.deadline < now - STILL, why="a process stands still")
        if now - self._asked > LONG:
            self._ask_others({line.host for line in self._begun_before(now - LONG)})

    def _ask_others(self, waited_for: set[Host]) -> None:
        for host in waited_for:
            self._asked = time.monotonic()
            if self._another_leads(host):
                self._end(host, _host, why="another one leads")

    def _begun_before(self, moment: float) -> list[Line]:
        with self._lock:
            return [line for line in self._lines if line.since < moment]

    def _end(self, lost: T, of: Callable[[Line], T | None], *, why: str) -> None:
        with self._lock:
            lines = [line for line in self._lines if of(line) == lost]
            for each in lines:
                each.end()
        if lines:
            _log.warning("the database is given up", why=why, connections=len(lines))


def answers(peer: Peer, within: float) -> bool:
    """Whether a PostgreSQL gives a sign of life within so many seconds."""
    until = time.monotonic() + within
    with socket.socket(peer[1]) as asking, contextlib.suppress(OSError):
        asking.settimeout(within)
        _connect(asking, peer, until)
        asking.settimeout(max(until - time.monotonic(), 0.01))
        asking.sendall(_ARE_YOU_THERE)
        return bool(asking.recv(1))
    return False


def _connect(asking: socket.socket, peer: Peer, until: float) -> None:
    while True:
        try:
            asking.connect(peer[0])
        except BlockingIOError:  # of a Unix socket: too many wait to be let in
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return


def _host(line: Line) -> Host:
    return line.host


def _peer(line: Line) -> Peer | None:
    """Where a connection leads; None where there is none yet, or no more."""
    if line.wire is not None:
        with contextlib.suppress(OSError):
            return line.wire.getpeername(), line.wire.family
    return None
