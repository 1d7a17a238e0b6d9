"""Issuers of tests, what they sign, and a web server that publishes their keys."""

import contextlib
import http.server
import json
import pathlib
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from harness.certificates import Authority

ISSUER = "https://issuer.example"
AUDIENCE = "moorage"
ACCOUNT = "system:serviceaccount:kube-system:moorage-agent"

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class Signer:
    """A key of an issuer, by the id that it has there."""

    def __init__(self, kid: str = "k1", algorithm: str = "ES256", key: Key | None = None) -> None:
        """Makes a key where none is given."""
        self.kid = kid
        self.algorithm = algorithm
        self.key = key or _make(algorithm)

    @property
    def published(self) -> dict[str, Any]:
        """As it stands in a key set."""
        found: dict[str, Any]
        public = self.key.public_key()
        if isinstance(public, rsa.RSAPublicKey):
            found = jwt.algorithms.RSAAlgorithm.to_jwk(public, as_dict=True)
        else:
            found = jwt.algorithms.ECAlgorithm.to_jwk(public, as_dict=True)
        found.pop("key_ops", None)
        return found | {"kid": self.kid, "use": "sig", "alg": self.algorithm}

    def sign(
        self, subject: str, *, header: Mapping[str, object] | None = None, **claims: object
    ) -> str:
        """A token for an hour; a claim that is None is left out."""
        return self._signed({"sub": subject, "jti": f"id-of-{subject}"} | claims, header or {})

    def _signed(self, claims: Mapping[str, object], header: Mapping[str, object]) -> str:
        now = int(time.time())
        every: dict[str, object] = {"iss": ISSUER, "aud": AUDIENCE, "nbf": now - 60}
        every |= {"exp": now + 3600} | dict(claims)
        return jwt.encode(
            {name: value for name, value in every.items() if value is not None},
            self.key,
            algorithm=self.algorithm,
            headers={k: v for k, v in ({"kid": self.kid} | dict(header)).items() if v is not None},
        )

    def of_node(self, node: str, **claims: object) -> str:
        """One such as Kubernetes gives to the agent's pod on a node."""
        bound = {
            "namespace": "kube-system",
            "node": {"name": node, "uid": "5f9c6c5e-0b7a-4b43-8f0e-0d1f5b6a7c8d"},
            "pod": {"name": f"agent-{node}", "uid": "0d1f5b6a-7c8d-4b43-8f0e-5f9c6c5e0b7a"},
            "serviceaccount": {"name": "moorage-agent", "uid": "8f0e5f9c-6c5e-4b43-0b7a-0d1f5b6a"},
        }
        of_its_own: dict[str, object] = {"kubernetes.io": bound, "jti": f"id-of-{node}"}
        return self._signed({"sub": ACCOUNT} | of_its_own | claims, {})


def key_set(*signers: Signer) -> bytes:
    """What an issuer publishes."""
    return json.dumps({"keys": [each.published for each in signers]}).encode()


class Web:
    """Serves keys over https on this machine; counts how often it is asked."""

    def __init__(self, context: ssl.SSLContext) -> None:
        """Publishes nothing yet."""
        self.content = b""
        self.status = 200
        self.asked = 0
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self.server.server_port}/openid/v1/jwks"


@contextlib.contextmanager
def published(authority: Authority, *signers: Signer) -> Iterator[Web]:
    """Serves their keys, with a certificate of this authority."""
    paper = authority.server("issuer")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(paper.certificate, paper.key)
    web = Web(context)
    web.content = key_set(*signers)
    thread = threading.Thread(target=web.server.serve_forever, args=(0.05,), name="issuer")
    thread.start()
    try:
        yield web
    finally:
        web.server.shutdown()
        thread.join()
        web.server.server_close()


def write(folder: pathlib.Path, token: str, name: str = "token") -> str:
    """The path of a file that has it, put into its place at once."""
    fresh = folder / f".{name}.new"
    fresh.write_text(f"{token}\n")
    return str(fresh.rename(folder / name))


def _make(algorithm: str) -> Key:
    if algorithm.startswith("ES"):
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(65537, 2048)


def _handler(web: Web) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            web.asked += 1
            self.send_response(web.status)
            self.send_header("Content-Length", str(len(web.content)))
            self.end_headers()
            self.wfile.write(web.content)

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    return Handler
