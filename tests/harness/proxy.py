"""A TCP proxy that can keep back what the server says: an answer that is lost on its way."""

import contextlib
import socket
import threading
from collections.abc import Iterator


class Proxy:
    """Forwards connections to `port`; bytes from there wait while `holding`."""

    def __init__(self, port: int) -> None:
        """Listens on a loopback port of its own."""
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._address: tuple[str, int] = self._listener.getsockname()
        self._open = threading.Event()
        self._open.set()
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._acceptor = self._let_in()

    @property
    def target(self) -> str:
        """Where clients connect."""
        return f"127.0.0.1:{self._address[1]}"

    def hold(self) -> None:
        """From now on nothing reaches the client."""
        self._open.clear()

    def drop(self) -> None:
        """Closes every connection, what was held included, and forwards new ones."""
        for pair in self.pairs():
            cut(pair)
        self._open.set()

    def pairs(self) -> list[tuple[socket.socket, socket.socket]]:
        """What is connected now: the sockets of a client and of the server."""
        return list(self._pairs)

    def leave(self) -> None:
        """Is away: whoever is connected is cut off, and nobody gets in."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        # Whoever was being let in is known when the thread has ended.
        self._acceptor.join()
        self._listener.close()
        self.drop()

    def come_back(self) -> None:
        """Listens again where it did."""
        self._listener = socket.create_server(self._address)
        self._acceptor = self._let_in()

    def lead_to(self, port: int) -> None:
        """Whoever comes from now on is forwarded to another port; who is there is cut off."""
        self._to = port
        self.drop()

    def close(self) -> None:
        """Stops listening."""
        self.leave()

    def _let_in(self) -> threading.Thread:
        thread = threading.Thread(target=self._accept, daemon=True)
        thread.start()
        return thread

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._forward(client)

    def _forward(self, client: socket.socket) -> None:
        try:
            server = self._reach()
        except OSError:
            client.close()
            return
        pair = (client, server)
        self._pairs.add(pair)
        threading.Thread(target=self._carry, args=(pair,), daemon=True).start()

    def _reach(self) -> socket.socket:
        server = socket.create_connection(("127.0.0.1", self._to), timeout=5)
        server.settimeout(None)
        return server

    def _carry(self, pair: tuple[socket.socket, socket.socket]) -> None:
        """Forwards both ways, until both have ended."""
        client, server = pair
        back = threading.Thread(target=self._pump, args=(server, client, True), daemon=True)
        back.start()
        self._pump(client, server, False)
        back.join()
        self._pairs.discard(pair)
        client.close()
        server.close()

    def _pump(self, source: socket.socket, sink: socket.socket, held: bool) -> None:
        try:
            while received := source.recv(65536):
                if held:
                    self._open.wait()
                sink.sendall(received)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            cut((source, sink))


def cut(pair: tuple[socket.socket, socket.socket]) -> None:
    """Ends a connection both ways."""
    for each in pair:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def in_front_of(port: int) -> Iterator[Proxy]:
    """A proxy for a loopback port."""
    proxy = Proxy(port)
    try:
        yield proxy
    finally:
        proxy.close()
