"""HTTP/2 by hand: what a library would not send."""

import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, CONTINUATION = 0, 1, 3, 4, 6, 9
END_STREAM, END_HEADERS = 1, 4
ASSIGN = b"/moorage.v1.AllocationService/AssignAddresses"


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame, whether or not it makes sense."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def opening() -> bytes:
    """How every client begins."""
    return PREFACE + frame(SETTINGS, 0, 0)


def header(name: bytes, value: bytes) -> bytes:
    """One header as HPACK spells it literally, and indexes it nowhere."""
    return b"\x00" + _text(name) + _text(value)


def call_headers(*more: bytes) -> bytes:
    """The headers of a call."""
    pairs = (
        *((b":method", b"POST"), (b":scheme", b"http"), (b":path", ASSIGN)),
        *((b":authority", b"a"), (b"content-type", b"application/grpc"), (b"te", b"trailers")),
    )
    return b"".join(header(name, value) for name, value in pairs) + b"".join(more)


def call(stream: int, body: bytes) -> bytes:
    """A whole call with one message."""
    message = b"\x00" + struct.pack(">I", len(body)) + body
    return frame(HEADERS, END_HEADERS, stream, call_headers()) + frame(
        DATA, END_STREAM, stream, message
    )


def _text(text: bytes) -> bytes:
    if len(text) < 127:
        return bytes([len(text)]) + text
    left, spelled = len(text) - 127, b"\x7f"
    while left > 127:
        spelled += bytes([left % 128 + 128])
        left //= 128
    return spelled + bytes([left]) + text
