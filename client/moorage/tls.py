"""The files of TLS as a caller has them: whom it trusts, and what it shows. Loads without gRPC.

A token is one of them, so that there is no way to send one in clear.
"""

import os
import re
import time
from typing import NamedTuple

# A certificate and its key are two files: between the one and the other they do not fit.
_PATIENCE = 0.5
_PAUSE = 0.05

# What RFC 6750 lets one be; the server takes no longer one.
_TOKEN = re.compile(rb"[A-Za-z0-9._~+/-]{1,8192}=*")

_State = tuple[tuple[int, ...], ...]


class Unusable(ValueError):
    """The files are not what TLS needs; the message names them and says what to do."""


class Tls(NamedTuple):
    """Paths of PEM files: the authorities that the server's certificate is of, and, where the
    server asks who calls, a certificate with its chain and its key, or the file of a bearer token.
    """

    ca: str
    certificate: str = ""
    key: str = ""
    token: str = ""

    @property
    def paths(self) -> tuple[str, ...]:
        """Those that there are of what a connection is opened with."""
        return tuple(filter(None, (self.ca, self.certificate, self.key)))


class Content(NamedTuple):
    """What the files say."""

    ca: bytes
    certificate: bytes | None
    key: bytes | None


def of(
    ca: str | None, certificate: str | None, key: str | None, token: str | None = None
) -> Tls | None:
    """Return the files that are named, None where none is.

    Raises Unusable where what is named is too little.
    """
    if bool(certificate) != bool(key):
        raise Unusable("a certificate and its key go together; name both, or neither")
    for what, path in (("certificate", certificate), ("token", token)):
        if path and not ca:
            raise Unusable(f"who shows a {what} also has to know the server; name its authorities")
    return Tls(ca, certificate or "", key or "", token or "") if ca else None


def settled(files: Tls) -> Content:
    """As read, but waits a moment for whoever is in the middle of replacing the files."""
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            return read(files)
        except Unusable:
            if time.monotonic() >= until:
                raise
        time.sleep(_PAUSE)


def read(files: Tls) -> Content:
    """Return what the files say; raises Unusable, also while somebody writes them."""
    import ssl  # noqa: PLC0415 - most programs that import this connect without TLS

    before = state(files.paths)
    pair = (files.certificate, files.key)
    content = Content(_bytes(files.ca), *(_bytes(path) if path else None for path in pair))
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=content.ca.decode("ascii"))
        if files.certificate:
            context.load_cert_chain(files.certificate, files.key, password=_no_password)
    except (OSError, ValueError) as error:
        raise Unusable(
            f"{', '.join(files.paths)}: {error}; write PEM, and the key of the certificate, "
            "without a password"
        ) from error
    if state(files.paths) != before:
        raise Unusable(f"{', '.join(files.paths)}: they are being written; try again")
    return content


def state(paths: tuple[str, ...]) -> _State:
    """Return what changes when the files do."""
    return tuple(map(_state, paths))


def token(path: str) -> str:
    """Return the token of a file; raises Unusable, whose words do not have it."""
    text = _bytes(path).strip()
    if not _TOKEN.fullmatch(text):
        raise Unusable(f"{path}: it has no bearer token; write one, and nothing beside it")
    return text.decode("ascii")


def _state(path: str) -> tuple[int, ...]:
    try:
        found = os.stat(path)
    except OSError as error:
        return (error.errno or 0,)
    return found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_size


def _bytes(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise Unusable(
            f"{path}: {error.strerror}; put the file there, readable for this user"
        ) from error


def _no_password() -> str:
    raise ValueError("the key has a password")
