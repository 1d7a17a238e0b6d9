"""Peers that do not speak as they should: whoever does goes on, and memory is bounded."""

import contextlib
import itertools
import random
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

import moorage
from harness import calls, postgres
from hostile import frames
from hostile import stage as stages

# Four peers, each with as many calls as a connection may have and as much metadata as a call may
# have, twice; and what normal callers leave behind.
PEERS_AT_ONCE = 4
MOST_GROWN = (PEERS_AT_ONCE * 2 * 16 + 64) << 20
CALLS = 20  # of a normal caller, while the peer is at it

Peer = Callable[[socket.socket], None]
PEERS: dict[str, Peer] = {}


def peer(speak: Peer) -> Peer:
    """Enters a way of speaking."""
    PEERS[speak.__name__] = speak
    return speak


@peer
def garbage(peer: socket.socket) -> None:
    peer.sendall(random.Random(7).randbytes(1 << 20))


@peer
def another_protocol(peer: socket.socket) -> None:
    peer.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n" * 1000)


@peer
def tls_to_plain_text(peer: socket.socket) -> None:
    peer.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(1000))


@peer
def half_a_preface(peer: socket.socket) -> None:
    peer.sendall(frames.PREFACE[:9])
    peer.shutdown(socket.SHUT_WR)


@peer
def nothing_after_the_preface(peer: socket.socket) -> None:
    peer.sendall(frames.opening())


@peer
def settings_without_end(peer: socket.socket) -> None:
    entry = b"\x00\x03\x00\x00\x00\x64"
    peer.sendall(frames.opening() + frames.frame(frames.SETTINGS, 0, 0, entry * 100) * 5000)


@peer
def pings_without_end(peer: socket.socket) -> None:
    peer.sendall(frames.opening() + frames.frame(frames.PING, 0, 0, bytes(8)) * 50_000)


@peer
def calls_reset_at_once(peer: socket.socket) -> None:
    peer.sendall(frames.opening())
    for stream in range(1, 40_000, 2):
        peer.sendall(
            frames.frame(frames.HEADERS, frames.END_HEADERS, stream, frames.call_headers())
            + frames.frame(frames.RST_STREAM, 0, stream, b"\x00\x00\x00\x08")
        )


@peer
def headers_without_end(peer: socket.socket) -> None:
    part = frames.header(b"a", b"x" * 8000)
    peer.sendall(frames.opening() + frames.frame(frames.HEADERS, 0, 1, frames.call_headers()))
    for _ in range(2000):
        peer.sendall(frames.frame(frames.CONTINUATION, 0, 1, part))


@peer
def large_headers(peer: socket.socket) -> None:
    headers = frames.call_headers(*[frames.header(b"a", b"x" * 1000)] * 15)
    streams = (
        frames.frame(frames.HEADERS, frames.END_HEADERS, stream, headers)
        for stream in range(1, 2000, 2)
    )
    peer.sendall(frames.opening() + b"".join(streams))


@peer
def a_header_that_expands(peer: socket.socket) -> None:
    """Indexed once, and then named hundreds of times in a byte each."""
    indexed = b"\x40" + frames.header(b"a", b"x" * 3000)[1:]
    headers = frames.call_headers(indexed, b"\xbe" * 1500)
    for stream in range(1, 200, 2):
        peer.sendall(
            (frames.opening() if stream == 1 else b"")
            + frames.frame(frames.HEADERS, frames.END_HEADERS, stream, headers)
        )


@peer
def messages_that_are_too_large(peer: socket.socket) -> None:
    head = frames.frame(frames.HEADERS, frames.END_HEADERS, 1, frames.call_headers())
    peer.sendall(frames.opening() + head)
    for _ in range(500):
        peer.sendall(frames.frame(frames.DATA, 0, 1, b"\x00\x7f\xff\xff\xff" + bytes(16_000)))


@peer
def messages_that_never_end(peer: socket.socket) -> None:
    """As many calls as are let in, each of one byte of a message."""
    heads = (
        frames.frame(frames.HEADERS, frames.END_HEADERS, stream, frames.call_headers())
        + frames.frame(frames.DATA, 0, stream, b"\x00\x00\x00\xff\xff")
        for stream in range(1, 2000, 2)
    )
    peer.sendall(frames.opening() + b"".join(heads))


@peer
def streams_out_of_order(peer: socket.socket) -> None:
    peer.sendall(frames.opening() + frames.call(9, b"") + frames.call(3, b"") + frames.call(2, b""))


@peer
def unknown_frames(peer: socket.socket) -> None:
    unknown = b"".join(frames.frame(kind, 255, 1, bytes(100)) for kind in range(10, 255))
    peer.sendall(frames.opening() + unknown * 20)


@peer
def messages_that_are_none(peer: socket.socket) -> None:
    chance = random.Random(7)
    bodies = (chance.randbytes(chance.randrange(200)) for _ in range(500))
    sent = (frames.call(stream, body) for stream, body in zip(itertools.count(1, 2), bodies))
    peer.sendall(frames.opening() + b"".join(sent))


@peer
def answers_unread(peer: socket.socket) -> None:
    """Asks on, and reads nothing of what it is told."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    for stream in range(1, 4000, 2):
        peer.sendall((frames.opening() if stream == 1 else b"") + frames.call(stream, b"\xff"))


@pytest.fixture(scope="module")
def stage(
    cluster: postgres.Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[stages.Stage]:
    folder = tmp_path_factory.mktemp("hostile")
    with cluster.database() as database, stages.on_stage(database, folder) as made:
        with moorage.Client(made.target) as client:
            calls.create_pool(client, "web", "10.0.0.0/16")
            calls.assign(client, "warm")
        yield made


@contextlib.contextmanager
def spoken(target: str, speak: Peer, times: int) -> Iterator[None]:
    """Peers that speak in one way, and stay as long as they are let."""
    host, _, port = target.rpartition(":")
    peers = [socket.create_connection((host, int(port)), timeout=10) for _ in range(times)]

    def each(one: socket.socket) -> None:
        with contextlib.suppress(OSError):  # hung up on, or not read from any more
            speak(one)

    threads = [threading.Thread(target=each, args=(one,)) for one in peers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for thread in threads:
            thread.join()
        for one in peers:
            one.close()


@pytest.mark.parametrize("name", PEERS)
def test_others_go_on_beside_a_peer(stage: stages.Stage, name: str) -> None:
    before = stage.memory()
    with (
        spoken(stage.target, PEERS[name], PEERS_AT_ONCE),
        moorage.Client(stage.target, timeout=30) as client,
    ):
        for number in range(CALLS):
            calls.assign(client, f"{name}-{number}")
            calls.release(client, f"{name}-{number}")
    assert stage.memory() - before < MOST_GROWN
    said = stage.said()
    assert not [line for line in said if "Traceback" in line or '"fault"' in line]


def test_others_go_on_beside_a_crowd_that_says_nothing(stage: stages.Stage) -> None:
    before = stage.memory()
    with (
        spoken(stage.target, lambda _: None, 500),
        moorage.Client(stage.target, timeout=30) as client,
    ):
        for number in range(CALLS):
            calls.assign(client, f"quiet-{number}")
    assert stage.memory() - before < MOST_GROWN
