"""What a caller's certificate says: its names, its serial number, and from when to when it counts.

That an authority of ours has signed it, TLS has seen to.
"""

from cryptography import x509
from cryptography.x509.oid import NameOID

from moorage_server.api import lists
from moorage_server.api.credentials import Credential
from moorage_server.api.desk import Context
from moorage_server.domain import errors
from moorage_server.domain.actors import Proof
from moorage_server.domain.callers import Form, Names

_SPIFFE = "spiffe://"


class Certificates:
    """Reads them; which of their names counts is the form's."""

    by = None

    def __init__(self, form: Form) -> None:
        """Has read none."""
        self._form = form

    def shown(self, context: Context) -> bytes | None:
        """The one of the connection, PEM."""
        return next(iter(context.auth_context().get("x509_pem_cert", ())), None)

    async def read(self, shown: bytes) -> Credential:
        """Raises CredentialRefused."""
        try:
            read = x509.load_pem_x509_certificate(shown)
            names = _names(read)
        except ValueError as error:
            # gRPC reads them more leniently.
            why = "the certificate cannot be read"
            raise errors.CredentialRefused("NAMELESS", why) from error
        return Credential(
            proof=Proof.CERTIFICATE,
            named=self._form.named(names),
            begins=read.not_valid_before_utc.timestamp(),
            ends=read.not_valid_after_utc.timestamp(),
            mark=lists.of_serial(read.serial_number),
        )


def _names(certificate: x509.Certificate) -> Names:
    return Names(
        common_names=_subject(certificate, NameOID.COMMON_NAME),
        organizations=_subject(certificate, NameOID.ORGANIZATION_NAME),
        spiffe_ids=tuple(each for each in _uris(certificate) if each.startswith(_SPIFFE)),
    )


def _subject(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> tuple[str, ...]:
    return tuple(str(each.value) for each in certificate.subject.get_attributes_for_oid(oid))


def _uris(certificate: x509.Certificate) -> list[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return found.value.get_values_for_type(x509.UniformResourceIdentifier)
