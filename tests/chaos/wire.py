"""The way of a server to PostgreSQL, where a connection can be cut at any message of theirs.

Every message but the first is one byte that says what it is and four of its length. A trap waits
for a moment in a conversation; the connection that comes to it first is cut there, or does
something before it goes on.
"""

import enum
import socket
import threading
from collections.abc import Callable

from chaos.links import Link
from harness import proxy


class Moment(enum.Enum):
    """Where in a conversation."""

    COMMIT_UNSENT = "the COMMIT is on its way, and does not arrive"
    COMMIT_SENT = "the COMMIT has arrived"
    COMMIT_TOLD = "the COMMIT is done, and its answer does not arrive"
    COMMIT_HALF_TOLD = "of the answer to the COMMIT one half arrives"
    COMMIT_TOLD_NOT_READY = "the answer to the COMMIT arrives, and not that the server is ready"
    STATEMENT_HALF_SENT = "of a statement one half arrives"
    ROWS_HALF_TOLD = "of a row one half arrives"


_OF_COMMIT_ITSELF = (Moment.COMMIT_UNSENT, Moment.COMMIT_SENT)


class Trap:
    """Waits for a moment; `sprung` is set when somebody has come to it."""

    def __init__(self, moment: Moment, meanwhile: Callable[[], None] | None, *, cuts: bool) -> None:
        self.moment, self.meanwhile, self.cuts = moment, meanwhile, cuts
        self.sprung = threading.Event()


class Cut(OSError):
    """A trap has sprung."""


class Wire(Link):
    """A way to a PostgreSQL, through its Unix socket."""

    def __init__(self, path: str) -> None:
        """Leads to the socket at this path."""
        self._path = path
        self._lock = threading.Lock()
        self._trap: Trap | None = None
        super().__init__(0)

    def set_trap(
        self, moment: Moment, meanwhile: Callable[[], None] | None = None, *, cuts: bool = True
    ) -> Trap:
        """Waits for whoever comes to a moment: `meanwhile` is done before anything goes on."""
        trap = Trap(moment, meanwhile, cuts=cuts)
        with self._lock:
            self._trap = trap
        return trap

    def mend(self) -> None:
        """Is a good one again, without traps."""
        with self._lock:
            self._trap = None
        super().mend()

    def _reach(self) -> socket.socket:
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(self._path)
        except OSError:
            server.close()
            raise
        return server

    def _carry(self, pair: tuple[socket.socket, socket.socket]) -> None:
        client, server = pair
        talk = _Conversation(self, client, server)
        back = threading.Thread(target=talk.pump_back, daemon=True)
        back.start()
        talk.pump_forth()
        back.join()
        self._pairs.discard(pair)
        client.close()
        server.close()

    def spring(self, *moments: Moment) -> Trap | None:
        """The trap that waits for one of these moments, which is then gone."""
        if self._trap is None:  # nearly always; no lock for that
            return None
        with self._lock:
            trap = self._trap
            if trap is None or trap.moment not in moments:
                return None
            self._trap = None
        if trap.meanwhile is not None:
            trap.meanwhile()
        trap.sprung.set()
        return trap

    def hold_back(self) -> None:
        """Waits while nothing is to reach the server."""
        self._open.wait()


class _Conversation:
    """One connection: what passes, message by message."""

    def __init__(self, wire: Wire, client: socket.socket, server: socket.socket) -> None:
        self._wire, self._client, self._server = wire, client, server
        self._begun = False
        self._committing = False

    def pump_forth(self) -> None:
        """From the client to PostgreSQL."""
        self._pump(self._client, self._server, self._forth)

    def pump_back(self) -> None:
        """From PostgreSQL to the client."""
        self._pump(self._server, self._client, self._back)

    def _pump(
        self, source: socket.socket, sink: socket.socket, look: Callable[[bytes], None]
    ) -> None:
        pending = b""
        try:
            while received := source.recv(self._wire.piece):
                if source is self._server:
                    self._wire.hold_back()
                pending = self._look(pending + received, look)
                self._wire.pass_on(received, sink)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            proxy.cut((source, sink))

    def _look(self, pending: bytes, look: Callable[[bytes], None]) -> bytes:
        """Shows every message that is complete; returns the beginning of the next."""
        while True:
            named = look == self._back or self._begun
            head = 1 if named else 0
            if len(pending) < head + 4:
                return pending
            length = head + int.from_bytes(pending[head : head + 4], "big")
            if len(pending) < length:
                return pending
            if named:
                look(pending[:length])
            self._begun |= look != self._back
            pending = pending[length:]

    def _forth(self, message: bytes) -> None:
        if message[:1] == b"Q" and message[5:].rstrip(b"\0").strip().upper() == b"COMMIT":
            self._committing = True
            trap = self._wire.spring(*_OF_COMMIT_ITSELF)
            if trap is not None:
                self._cut(trap, self._server, message if trap.moment is Moment.COMMIT_SENT else b"")
        elif message[:1] in b"BP" and (trap := self._wire.spring(Moment.STATEMENT_HALF_SENT)):
            self._cut(trap, self._server, message[: len(message) // 2])

    def _back(self, message: bytes) -> None:
        if self._committing and message[:1] in b"CE":
            self._committing = False
            self._answer(message)
        elif message[:1] == b"D" and (trap := self._wire.spring(Moment.ROWS_HALF_TOLD)):
            self._cut(trap, self._client, message[: len(message) // 2])

    def _answer(self, message: bytes) -> None:
        told = {
            Moment.COMMIT_TOLD: b"",
            Moment.COMMIT_HALF_TOLD: message[: len(message) // 2],
            Moment.COMMIT_TOLD_NOT_READY: message,
        }
        trap = self._wire.spring(*told)
        if trap is not None:
            self._cut(trap, self._client, told[trap.moment])

    def _cut(self, trap: Trap, to: socket.socket, last: bytes) -> None:
        """Sends no more than `last`, unless the trap lets all go on."""
        if not trap.cuts:
            return
        to.sendall(last)
        proxy.cut((self._client, self._server))
        raise Cut
