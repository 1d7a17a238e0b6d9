"""Authorities of tests, and what they sign: any name, any time, good or bad."""

import dataclasses
import datetime
import ipaddress
import pathlib
from collections.abc import Iterable

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

import moorage

LOCAL = ("localhost", "127.0.0.1")
YEAR = datetime.timedelta(days=365)
_USES = (ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH)
_NO_PASSWORD = serialization.NoEncryption()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Paper:
    """A certificate and its key, in files."""

    certificate: pathlib.Path
    key: pathlib.Path
    serial: int
    ends: datetime.datetime

    def trusting(self, ca: pathlib.Path) -> moorage.Tls:
        """What a caller with this certificate has."""
        return moorage.Tls(str(ca), str(self.certificate), str(self.key))

    def put(self, folder: pathlib.Path, name: str) -> None:
        """Into the place of another one, each file at once."""
        for path, suffix in ((self.certificate, "crt"), (self.key, "key")):
            fresh = folder / f".{name}.{suffix}.new"
            fresh.write_bytes(path.read_bytes())
            fresh.rename(folder / f"{name}.{suffix}")


class Authority:
    """One that signs."""

    def __init__(self, folder: pathlib.Path, name: str = "authority") -> None:
        """Its certificate is in `ca`."""
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name, ())
        self.ca = folder / f"{name}.crt"
        begins = datetime.datetime.now(datetime.UTC) - YEAR
        signed = (
            x509.CertificateBuilder(
                issuer_name=self._name,
                subject_name=self._name,
                public_key=self._key.public_key(),
                serial_number=x509.random_serial_number(),
                not_valid_before=begins,
                not_valid_after=begins + 2 * YEAR,
            )
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.ca.write_bytes(signed.public_bytes(serialization.Encoding.PEM))

    def server(self, file: str = "server") -> Paper:
        """A certificate of a server on this machine."""
        return self.sign(file, common_name="moorage-server", hosts=LOCAL)

    def node(self, node: str, file: str = "") -> Paper:
        """One such as Kubernetes gives its nodes."""
        organizations = ("system:nodes",)
        return self.sign(file or node, common_name=f"system:node:{node}", of=organizations)

    def sign(
        self,
        file: str,
        *,
        common_name: str = "",
        of: Iterable[str] = (),
        uris: Iterable[str] = (),
        hosts: Iterable[str] = (),
        seconds: float = 86_400,
        more: Iterable[x509.ExtensionType] = (),
    ) -> Paper:
        """A certificate for `seconds` from now on; negative: that ended so long ago."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.UTC)
        ends = now + datetime.timedelta(seconds=seconds)
        builder = x509.CertificateBuilder(
            issuer_name=self._name,
            subject_name=_name(common_name, of),
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=now - YEAR,
            not_valid_after=ends,
        ).add_extension(
            x509.ExtendedKeyUsage(
                [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
            ),
            critical=False,
        )
        if names := [*map(_host, hosts), *map(x509.UniformResourceIdentifier, uris)]:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        for each in more:
            builder = builder.add_extension(each, critical=False)
        signed = builder.sign(self._key, hashes.SHA256())
        paper = Paper(
            certificate=self._folder / f"{file}.crt",
            key=self._folder / f"{file}.key",
            serial=signed.serial_number,
            ends=signed.not_valid_after_utc,
        )
        paper.certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        form = serialization.PrivateFormat.PKCS8
        paper.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, _NO_PASSWORD))
        return paper


def _name(common_name: str, of: Iterable[str]) -> x509.Name:
    common = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else []
    return x509.Name(
        [*(x509.NameAttribute(NameOID.ORGANIZATION_NAME, each) for each in of), *common]
    )


def _host(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)
