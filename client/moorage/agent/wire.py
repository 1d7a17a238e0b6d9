"""What the forwarder and the agent say to each other over their socket.

    forwarder                     agent
    CALL and the call        ->
                             <-   TAKEN, when a worker turns to it
                             <-   exit code, length and text of standard output
    HEARD, when it is printed ->

The forwarder speaks it by itself (`moorage.cni.forwarder`), as it imports nothing of ours; what
both must agree on is taken from there.
"""

import os
import socket
import time
from dataclasses import dataclass

from moorage.cni import forwarder, handler

LONGEST_ENVIRONMENT = 4 << 20
# A forwarder that is alive sends its call at once.
SENT_WITHIN = 5.0
# It prints the answer at once too, unless the runtime does not read.
HEARD_WITHIN = 10.0
_HEADER = 20


class Malformed(Exception):
    """What arrived is no call; the text says why and quotes nothing of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call as the runtime made it: bytes, and when its process began on the boot-time clock."""

    began: int
    environment: dict[str, str]
    stdin: bytes


def receive(connection: socket.socket) -> Call:
    """Receive a call. Raises Malformed, or OSError."""
    until = time.monotonic() + SENT_WITHIN
    header = _exactly(connection, len(forwarder.CALL), until)
    if header != forwarder.CALL:
        raise Malformed("it does not begin as a call does")
    numbers = _exactly(connection, _HEADER - len(header), until)
    began, environment_size, stdin_size = (
        int.from_bytes(numbers[start:end], "big") for start, end in ((0, 8), (8, 12), (12, 16))
    )
    if environment_size > LONGEST_ENVIRONMENT or stdin_size > forwarder.LONGEST_STDIN:
        raise Malformed(f"it is too long: {environment_size} and {stdin_size} bytes")
    environment = _exactly(connection, environment_size, until)
    stdin = _exactly(connection, stdin_size, until)
    return Call(began=began, environment=_variables(environment), stdin=stdin)


def take(connection: socket.socket) -> None:
    """Tell the forwarder that its call has begun."""
    connection.sendall(forwarder.TAKEN)


def answer(connection: socket.socket, reply: handler.Reply) -> bool:
    """Send the answer; says whether it was printed. Raises nothing."""
    length = len(reply.stdout).to_bytes(4, "big")
    try:
        connection.sendall(bytes([reply.exit_code]) + length + reply.stdout)
        connection.settimeout(HEARD_WITHIN)
        return connection.recv(1) == forwarder.HEARD
    except TimeoutError:
        return True  # it is still there; if it gives up later, the runtime sends a DEL
    except OSError:
        return False


def is_gone(connection: socket.socket) -> bool:
    """Whether whoever called has hung up."""
    limit = connection.gettimeout()
    connection.setblocking(False)
    try:
        return not connection.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        connection.settimeout(limit)


def _exactly(connection: socket.socket, size: int, until: float) -> bytes:
    received = bytearray()
    while len(received) < size:
        connection.settimeout(max(until - time.monotonic(), 0.001))
        part = connection.recv(min(size - len(received), 1 << 16))
        if not part:
            raise Malformed("it ends too early")
        received += part
    return bytes(received)


def _variables(text: bytes) -> dict[str, str]:
    # Decoded as the direct program's own are.
    pairs = (each.partition(b"=") for each in text.split(b"\0"))
    return {os.fsdecode(name): os.fsdecode(value) for name, equals, value in pairs if equals}
