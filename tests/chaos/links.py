"""Connections that can be made as bad as networks make them: slow, torn, deaf, half closed."""

import contextlib
import random
import socket
import struct
import time

from harness import proxy

Pair = tuple[socket.socket, socket.socket]
# Closing drops what is under way and sends RST.
_AT_ONCE = struct.pack("ii", 1, 0)


class Link(proxy.Proxy):
    """The way to one server, or of one server to its database."""

    def __init__(self, port: int) -> None:
        """Is a good one, at first."""
        self.delay = 0.0  # seconds for each piece that passes
        self.piece = 65536  # bytes in one piece at most
        super().__init__(port)

    def mend(self) -> None:
        """Is a good one from now on; what was connected stays so."""
        self.delay, self.piece = 0.0, 65536
        self._open.set()

    def lead_to(self, port: int) -> None:
        """Leads elsewhere from now on; who is connected stays where it is."""
        self._to = port

    def reset(self) -> int:
        """Resets every connection; returns how many."""
        pairs = self.pairs()
        for pair in pairs:
            for each in pair:
                with contextlib.suppress(OSError):
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            proxy.cut(pair)
        return len(pairs)

    def half_close(self, chance: random.Random) -> int:
        """Ends one direction of every connection; returns how many there were."""
        pairs = self.pairs()
        for pair in pairs:
            with contextlib.suppress(OSError):
                chance.choice(pair).shutdown(socket.SHUT_WR)
        return len(pairs)

    def _pump(self, source: socket.socket, sink: socket.socket, held: bool) -> None:
        try:
            while received := source.recv(self.piece):
                if held:
                    self._open.wait()
                self.pass_on(received, sink)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            proxy.cut((source, sink))

    def pass_on(self, received: bytes, sink: socket.socket) -> None:
        """Sends what was received, as slowly as the link is."""
        while received:
            if self.delay:
                time.sleep(self.delay)
            # It may be mended, or get worse, in the middle of it.
            piece = self.piece
            sink.sendall(received[:piece])
            received = received[piece:]
