"""The program `moorage` on a node with an agent: passes the call on as it is.

Whatever is wrong with the agent, the program that needs none takes the call over, so that where
there is one a call never fails for want of an agent. Standard library only, and little of it: to
start is all that a call costs here. A launcher, see `moorage.install.launcher`, says where both
are.
"""

import os
import socket
import time

# An agent that does not turn to a call in this time is busy, or hangs.
TAKEN_WITHIN = 5.0
# The handler takes 90 seconds at most.
ANSWERED_WITHIN = 100.0
LONGEST_STDIN = 16 << 20

CALL = b"CALL"
TAKEN = HEARD = b"\1"

_NOBODY = (
    b'{"cniVersion": "1.1.0", "code": 11, "msg": "moorage-agent gives no answer, and the program '
    b'that needs none cannot be run", "details": "install Moorage on this node again"}\n'
)


def main(agent: str, direct: str) -> None:
    """Answers the one call that the environment describes, and ends the process."""
    began = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    _occupy_standard_descriptors()
    stdin = None
    try:
        if os.environ.get("CNI_COMMAND"):
            stdin = _read_stdin()
            # Tearing the interpreter down would cost as much as the call.
            os._exit(_forward(agent, began, stdin))
    except OSError:
        pass
    _take_over(direct, stdin)


def _occupy_standard_descriptors() -> None:
    # The socket would get the number of a closed standard output. Opened the wrong way round, so
    # that reading and printing still fail.
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDONLY if descriptor else os.O_WRONLY)


def _read_stdin() -> bytes:
    parts, left = [], LONGEST_STDIN
    while part := os.read(0, min(left, 65536)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _forward(agent: str, began: int, stdin: bytes) -> int:
    """Returns the exit code; raises OSError where the agent does not answer."""
    environment = b"\0".join(b"=".join(pair) for pair in os.environb.items())
    numbers = ((began, 8), (len(environment), 4), (len(stdin), 4))
    header = CALL + b"".join(number.to_bytes(size, "big") for number, size in numbers)
    with _connect(agent) as connection:
        connection.sendall(header + environment + stdin)
        _receive(connection, 1)
        connection.settimeout(ANSWERED_WITHIN)
        code, size = _receive(connection, 1)[0], int.from_bytes(_receive(connection, 4), "big")
        is_heard = _print(_receive(connection, size))
        try:
            if is_heard:
                connection.send(HEARD)
            else:
                # The agent gives back what nobody heard of, and hangs up when it has.
                connection.shutdown(socket.SHUT_WR)
                connection.recv(1)
        except OSError:
            pass  # what is printed is printed
        return code if is_heard else 1


def _connect(agent: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(TAKEN_WITHIN)
    until = time.monotonic() + TAKEN_WITHIN
    while True:
        try:
            connection.connect(agent)
            return connection
        except BlockingIOError:  # EAGAIN: too many wait to be let in
            if time.monotonic() > until:
                raise
            time.sleep(0.01)


def _receive(connection: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        part = connection.recv(size - len(received))
        if not part:
            raise ConnectionResetError
        received += part
    return received


def _print(document: bytes) -> bool:
    try:
        while document:
            document = document[os.write(1, document) :]
    except OSError:
        return False
    return True


def _take_over(direct: str, stdin: "bytes | None") -> None:
    try:
        if stdin is not None:
            # It was read to its end: the other program gets it anew.
            with open(os.memfd_create("stdin"), "w+b", buffering=0, closefd=False) as anew:
                anew.write(stdin)
                anew.seek(0)
                os.dup2(anew.fileno(), 0)
        os.execv(direct, [direct])  # noqa: S606 - no shell wanted
    except OSError:
        _print(_NOBODY)
        os._exit(1)
