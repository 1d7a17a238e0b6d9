"""Ways to speak to a server as no client of HTTP/2 should."""

import contextlib
import functools
import gzip
import itertools
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from hostile import frames

AT_ONCE = 4
Way = Callable[[socket.socket], None]
WAYS: dict[str, Way] = {}


def way(speak: Way) -> Way:
    """Enters a way of speaking."""
    WAYS[speak.__name__] = speak
    return speak


def saying(spell: Callable[[], bytes]) -> Callable[[], bytes]:
    """Enters a way of speaking that is spelled out once: peers have processors of their own."""
    spelled = functools.cache(spell)
    WAYS[spell.__name__] = lambda peer: peer.sendall(spelled())
    return spell


@way
def garbage(peer: socket.socket) -> None:
    peer.sendall(random.Random(7).randbytes(1 << 20))


@way
def another_protocol(peer: socket.socket) -> None:
    peer.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n" * 1000)


@way
def tls_to_plain_text(peer: socket.socket) -> None:
    peer.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(1000))


@way
def half_a_preface(peer: socket.socket) -> None:
    peer.sendall(frames.PREFACE[:9])
    peer.shutdown(socket.SHUT_WR)


@way
def nothing_after_the_preface(peer: socket.socket) -> None:
    peer.sendall(frames.opening())


@way
def settings_without_end(peer: socket.socket) -> None:
    entry = b"\x00\x03\x00\x00\x00\x64"
    peer.sendall(frames.opening() + frames.frame(frames.SETTINGS, 0, 0, entry * 100) * 5000)


@saying
def pings_without_end() -> bytes:
    return frames.opening() + frames.frame(frames.PING, 0, 0, bytes(8)) * 50_000


@saying
def calls_reset_at_once() -> bytes:
    headers = frames.call_headers()
    resets = (
        frames.frame(frames.HEADERS, frames.END_HEADERS, stream, headers)
        + frames.frame(frames.RST_STREAM, 0, stream, b"\x00\x00\x00\x08")
        for stream in range(1, 40_000, 2)
    )
    return frames.opening() + b"".join(resets)


@way
def headers_without_end(peer: socket.socket) -> None:
    part = frames.frame(frames.CONTINUATION, 0, 1, frames.header(b"a", b"x" * 8000))
    peer.sendall(frames.opening() + frames.frame(frames.HEADERS, 0, 1, frames.call_headers()))
    for _ in range(2000):
        peer.sendall(part)


@saying
def large_headers() -> bytes:
    headers = frames.call_headers(*[frames.header(b"a", b"x" * 1000)] * 15)
    streams = (
        frames.frame(frames.HEADERS, frames.END_HEADERS, stream, headers)
        for stream in range(1, 2000, 2)
    )
    return frames.opening() + b"".join(streams)


@saying
def a_header_that_expands() -> bytes:
    """Indexed once, and then named hundreds of times in a byte each."""
    indexed = b"\x40" + frames.header(b"a", b"x" * 3000)[1:]
    headers = frames.call_headers(indexed, b"\xbe" * 1500)
    streams = (
        frames.frame(frames.HEADERS, frames.END_HEADERS, stream, headers)
        for stream in range(1, 200, 2)
    )
    return frames.opening() + b"".join(streams)


@way
def messages_that_are_too_large(peer: socket.socket) -> None:
    head = frames.frame(frames.HEADERS, frames.END_HEADERS, 1, frames.call_headers())
    peer.sendall(frames.opening() + head)
    for _ in range(500):
        peer.sendall(frames.frame(frames.DATA, 0, 1, b"\x00\x7f\xff\xff\xff" + bytes(16_000)))


@way
def a_message_that_expands(peer: socket.socket) -> None:
    """A thousand times as large when it is unpacked."""
    packed = _zeros(64 << 20)
    headers = frames.call_headers(frames.header(b"grpc-encoding", b"gzip"))
    peer.sendall(frames.opening() + frames.frame(frames.HEADERS, frames.END_HEADERS, 1, headers))
    message = b"\x01" + len(packed).to_bytes(4, "big") + packed
    for at in range(0, len(message), 16_000):
        peer.sendall(frames.frame(frames.DATA, 0, 1, message[at : at + 16_000]))
    peer.sendall(frames.frame(frames.DATA, frames.END_STREAM, 1))


@saying
def messages_that_never_end() -> bytes:
    """More calls than are let in, each of one byte of a message."""
    heads = (
        frames.frame(frames.HEADERS, frames.END_HEADERS, stream, frames.call_headers())
        + frames.frame(frames.DATA, 0, stream, b"\x00\x00\x00\xff\xff")
        for stream in range(1, 2000, 2)
    )
    return frames.opening() + b"".join(heads)


@way
def a_byte_at_a_time(peer: socket.socket) -> None:
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in frames.opening() + frames.call(1, b"\xff"):
        peer.sendall(bytes([byte]))
        time.sleep(0.01)


@way
def streams_out_of_order(peer: socket.socket) -> None:
    peer.sendall(frames.opening() + frames.call(9, b"") + frames.call(3, b"") + frames.call(2, b""))


@way
def unknown_frames(peer: socket.socket) -> None:
    unknown = b"".join(frames.frame(kind, 255, 1, bytes(100)) for kind in range(10, 255))
    peer.sendall(frames.opening() + unknown * 20)


@saying
def messages_that_are_none() -> bytes:
    chance = random.Random(7)
    bodies = (chance.randbytes(chance.randrange(200)) for _ in range(500))
    sent = (frames.call(stream, body) for stream, body in zip(itertools.count(1, 2), bodies))
    return frames.opening() + b"".join(sent)


@way
def answers_unread(peer: socket.socket) -> None:
    """Asks on, and reads nothing of what it is told."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    peer.sendall(_asked())


@functools.cache
def _asked() -> bytes:
    return frames.opening() + b"".join(frames.call(at, b"\xff") for at in range(1, 4000, 2))


@functools.cache
def _zeros(count: int) -> bytes:
    return gzip.compress(bytes(count))


@contextlib.contextmanager
def spoken(target: str, speak: Way, times: int = AT_ONCE) -> Iterator[None]:
    """Peers that speak in one way, and stay as long as they are let."""
    with contextlib.ExitStack() as until:
        peers = [until.enter_context(_connected(target)) for _ in range(times)]
        with _at_once([functools.partial(_say, speak, one) for one in peers]):
            yield


@contextlib.contextmanager
def spoken_again(target: str, speak: Way, *, every: float) -> Iterator[None]:
    """The same, but each hangs up after so many seconds, and begins anew."""
    over = threading.Event()

    def go_on() -> None:
        while not over.is_set():
            with contextlib.suppress(OSError), _connected(target) as one:
                _say(speak, one)
                over.wait(every)

    with _at_once([go_on] * AT_ONCE):
        try:
            yield
        finally:
            over.set()


def _connected(target: str) -> socket.socket:
    host, _, port = target.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=10)


def _say(speak: Way, one: socket.socket) -> None:
    with contextlib.suppress(OSError):  # hung up on, or not read from any more
        speak(one)


@contextlib.contextmanager
def _at_once(works: Sequence[Callable[[], None]]) -> Iterator[None]:
    threads = [threading.Thread(target=each) for each in works]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for thread in threads:
            thread.join()
