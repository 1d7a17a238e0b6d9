"""What a caller's certificate says: its names, its serial number, and from when to when it counts.

That an authority of ours has signed it, TLS has seen to.
"""

import dataclasses

from cryptography import x509
from cryptography.x509.oid import NameOID

from moorage_server.domain.callers import Names

_SPIFFE = "spiffe://"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """`begins` and `ends` are on time.time()'s clock."""

    serial: int
    begins: float
    ends: float
    names: Names


def parse(pem: bytes) -> Certificate:
    """Reads the first one; raises ValueError."""
    read = x509.load_pem_x509_certificate(pem)
    return Certificate(
        serial=read.serial_number,
        begins=read.not_valid_before_utc.timestamp(),
        ends=read.not_valid_after_utc.timestamp(),
        names=Names(
            common_names=_subject(read, NameOID.COMMON_NAME),
            organizations=_subject(read, NameOID.ORGANIZATION_NAME),
            spiffe_ids=tuple(each for each in _uris(read) if each.startswith(_SPIFFE)),
        ),
    )


def _subject(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> tuple[str, ...]:
    return tuple(str(each.value) for each in certificate.subject.get_attributes_for_oid(oid))


def _uris(certificate: x509.Certificate) -> list[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return found.value.get_values_for_type(x509.UniformResourceIdentifier)
