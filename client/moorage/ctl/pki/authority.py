"""What is signed, and where it is put: PEM files that their owner alone can read."""

import datetime
import ipaddress
import os
import pathlib
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CERTIFICATE, KEY = "ca.crt", "ca.key"

_SERVER, _CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
# Clocks of machines are not alike.
_EARLIER = datetime.timedelta(minutes=5)
_USE = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)
_SIGNING = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


def name(common_name: str, organization: str = "") -> x509.Name:
    """Return the name of somebody; raises ValueError for one that a certificate cannot have."""
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)] if organization else []
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def found(folder: pathlib.Path, common_name: str, life: datetime.timedelta) -> pathlib.Path:
    """Make an authority in a folder; raises FileExistsError where there is one, and ValueError."""
    key = ec.generate_private_key(ec.SECP256R1())
    own = name(common_name)
    signed = (
        _builder(own, own, key, life)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_SIGNING, critical=True)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return _write(folder / CERTIFICATE, folder / KEY, signed, key)


def sign(
    folder: pathlib.Path,
    file: str,
    subject: x509.Name,
    life: datetime.timedelta,
    *,
    hosts: Sequence[str] = (),
    ids: Sequence[str] = (),
) -> pathlib.Path:
    """Sign for somebody: a server where it has hosts, else a caller.

    Raises FileExistsError where there is a file of this name, OSError and ValueError where there is
    no authority.
    """
    authority = x509.load_pem_x509_certificate((folder / CERTIFICATE).read_bytes())
    signing = serialization.load_pem_private_key((folder / KEY).read_bytes(), password=None)
    if not isinstance(signing, ec.EllipticCurvePrivateKey):
        raise ValueError("the key of the authority is not of an elliptic curve")
    key = ec.generate_private_key(ec.SECP256R1())
    uses = x509.ExtendedKeyUsage([_SERVER if hosts else _CLIENT])
    builder = (
        _builder(authority.subject, subject, key, life)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_USE, critical=True)
        .add_extension(uses, critical=False)
    )
    if names := [*map(_host, hosts), *map(x509.UniformResourceIdentifier, ids)]:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    signed = builder.sign(signing, hashes.SHA256())
    return _write(folder / f"{file}.crt", folder / f"{file}.key", signed, key)


def _builder(
    issuer: x509.Name,
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    life: datetime.timedelta,
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=subject,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - _EARLIER,
        not_valid_after=now + life,
    )


def _host(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _write(
    certificate: pathlib.Path,
    key: pathlib.Path,
    signed: x509.Certificate,
    private: ec.EllipticCurvePrivateKey,
) -> pathlib.Path:
    if certificate.exists():
        raise FileExistsError(f"{certificate} is there already")
    form, no_password = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    _create(key, private.private_bytes(serialization.Encoding.PEM, form, no_password))
    _create(certificate, signed.public_bytes(serialization.Encoding.PEM))
    return certificate


def _create(path: pathlib.Path, content: bytes) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise FileExistsError(f"{path} is there already") from None
    with open(descriptor, "wb") as file:
        file.write(content)
