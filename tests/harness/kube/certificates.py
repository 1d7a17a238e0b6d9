"""The certificates, keys and tokens of a cluster, as files."""

import datetime
import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme

TOKEN = "token-of-the-plugin"
_LONG_AGO = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """What an API server shows, and whom it believes."""

    context: ssl.SSLContext
    expired: ssl.SSLContext


def write(directory: Path) -> Certificates:
    """Makes everything anew; leaves in `directory` what clients need, and what misleads them."""
    authority, clients = trustme.CA(), trustme.CA()
    client, stranger = clients.issue_cert("n1.nodes.example"), trustme.CA()
    texts = {
        "ca.pem": authority.cert_pem.bytes(),
        "other-ca.pem": stranger.cert_pem.bytes(),
        "client.pem": client.cert_chain_pems[0].bytes(),
        "client.key": client.private_key_pem.bytes(),
        "stranger.pem": stranger.issue_cert("stranger.example").cert_chain_pems[0].bytes(),
        "token": f"{TOKEN}\n".encode(),
        "other-token": b"other",
    }
    for name, content in texts.items():
        (directory / name).write_bytes(content)
    over = authority.issue_cert(
        "127.0.0.1", not_before=_LONG_AGO, not_after=_LONG_AGO + datetime.timedelta(days=1)
    )
    return Certificates(
        context=_context(authority.issue_cert("127.0.0.1"), clients),
        expired=_context(over, clients),
    )


def _context(certificate: trustme.LeafCert, clients: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    clients.configure_trust(context)
    context.verify_mode = ssl.CERT_OPTIONAL
    return context
