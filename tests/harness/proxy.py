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
        self._sockets: list[socket.socket] = []
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
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._open.set()

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

    def close(self) -> None:
        """Stops listening."""
        self.leave()
        for each in self._sockets:
            each.close()

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
            server = socket.create_connection(("127.0.0.1", self._to), timeout=5)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        self._sockets += [client, server]
        threading.Thread(target=self._pump, args=(client, server, False), daemon=True).start()
        threading.Thread(target=self._pump, args=(server, client, True), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, held: bool) -> None:
        with contextlib.suppress(OSError):
            while received := source.recv(65536):
                if held:
                    self._open.wait()
                sink.sendall(received)
            sink.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def in_front_of(port: int) -> Iterator[Proxy]:
    """A proxy for a loopback port."""
    proxy = Proxy(port)
    try:
        yield proxy
    finally:
        proxy.close()
