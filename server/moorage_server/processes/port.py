"""A port that several processes of one command listen on, and no other server beside them."""

import contextlib
import socket
from collections.abc import Iterator

from moorage_server.api.server import BindError

_Address = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]


@contextlib.contextmanager
def reserved(listen: str, option: str = "--listen") -> Iterator[str]:
    """An address on which, until the end, our processes may listen and no others.

    Port 0 becomes one that is free, a name the first address that it stands for: which others
    it has, gRPC and we might not agree on. Raises BindError, which names `option`, where
    somebody has it.
    """
    host, _, port = listen.rpartition(":")
    with contextlib.ExitStack() as until:
        try:
            [(family, *_, address), *_] = socket.getaddrinfo(
                host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
            held = until.enter_context(_held(family, address))
        except OSError as error:
            raise BindError(listen, option) from error
        host, number, *_ = held.getsockname()
        yield f"[{host}]:{number}" if family == socket.AF_INET6 else f"{host}:{number}"


@contextlib.contextmanager
def _held(family: socket.AddressFamily, address: _Address) -> Iterator[socket.socket]:
    """A socket that holds a port without listening on it: no connection ever goes to it.

    Whoever binds a port with SO_REUSEPORT gets it beside others who did. So a first socket
    listens without that, which fails where anybody else listens, or holds it as we do; only
    then the port is opened for more of our user's, and the second socket takes hold of it
    before the first lets go. There is no moment in which two commands could both have it.
    """
    with _socket(family) as held:
        with _socket(family) as first:
            first.bind(address)
            first.listen()
            for each in (first, held):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            held.bind(first.getsockname())
            # With it a port can be had while connections of an earlier server are being closed;
            # but a socket that keeps it and does not listen keeps nobody else from listening.
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        yield held


def _socket(family: socket.AddressFamily) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return made
