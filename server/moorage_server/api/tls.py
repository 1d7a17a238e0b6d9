"""The server's side of TLS: its certificate, and whose certificates callers must have.

The files are looked at with new connections; those that are open stay as they are, and grow no
older than five minutes. What gRPC could not use is never given to it: it would go on with what was
there before, but only its own log would say so.
"""

import threading
from collections.abc import Callable
from typing import Final, cast

import grpc
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from moorage_server.access import Access
from moorage_server.api.reloading import Reloaded

_DER: Final = serialization.Encoding.DER
_PUBLIC: Final = serialization.PublicFormat.SubjectPublicKeyInfo


def credentials(access: Access, *, client_ca: str) -> grpc.ServerCredentials:
    """What a port is opened with, where callers need a certificate of `client_ca`, or none.

    gRPC for Python knows no port where they may have one. Raises Unreadable.
    """
    paths = [access.tls_cert, access.tls_key]
    if client_ca:
        paths.append(client_ca)
    files = Reloaded("certificates of the server", paths, _configuration)
    return grpc.dynamic_ssl_server_credentials(
        files.get(),
        # The type stubs do not know that None is an answer.
        cast("Callable[[], grpc.ServerCertificateConfiguration]", _Fetcher(files)),
        require_client_authentication=bool(client_ca),
    )


class _Fetcher:
    """Asked by gRPC with each new connection, in threads of its own; None is: as before."""

    def __init__(self, files: Reloaded[grpc.ServerCertificateConfiguration]) -> None:
        self._files = files
        self._given = files.get()
        self._lock = threading.Lock()

    def __call__(self) -> grpc.ServerCertificateConfiguration | None:
        found = self._files.get()
        with self._lock:
            if found is self._given:
                return None
            self._given = found
            return found


def _configuration(
    certificate: bytes, key: bytes, authorities: bytes | None = None
) -> grpc.ServerCertificateConfiguration:
    """Raises ValueError where a connection could not be opened with these."""
    _require_pair(certificate, key)
    if authorities is not None:
        _certificates("the authorities of the callers", authorities)
    return grpc.ssl_server_certificate_configuration(
        [(key, certificate)], root_certificates=authorities
    )


def _require_pair(certificate: bytes, key: bytes) -> None:
    own = _certificates("the certificate", certificate)[0].public_key()
    try:
        belonging = serialization.load_pem_private_key(key, password=None).public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ValueError("the key is not one PEM key without a password; write one") from error
    if own.public_bytes(_DER, _PUBLIC) != belonging.public_bytes(_DER, _PUBLIC):
        raise ValueError("the key is not the certificate's; write the two that belong together")


def _certificates(what: str, pem: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise ValueError(f"{what} cannot be read as PEM; write it as a whole") from error
