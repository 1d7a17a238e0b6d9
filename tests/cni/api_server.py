"""A Kubernetes API server of two kinds of objects, over real TLS, that can also misbehave."""

import contextlib
import http.server
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import trustme

TOKEN = "token-of-the-plugin"


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers GETs the way the ApiServer that owns it says."""

    protocol_version = "HTTP/1.1"
    server: "_Server"

    def do_GET(self) -> None:
        api = self.server.api
        api.requests.append(self.path)
        api.accepted.add(self.headers.get("Accept", ""))
        if api.misbehave is not None:
            api.misbehave(self)
        elif not self._is_known():
            self.answer(401, b'{"kind":"Status","code":401}')
        elif self.path in api.objects:
            self.answer(200, json.dumps(api.objects[self.path]).encode())
        else:
            self.answer(404, b'{"kind":"Status","code":404,"message":"pods not found"}')

    def answer(self, status: int, body: bytes, length: int | None = None) -> None:
        """Sends a whole answer; `length` claims another one."""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def _is_known(self) -> bool:
        assert isinstance(self.connection, ssl.SSLSocket)
        if self.connection.getpeercert():
            return True
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


class _Server(http.server.ThreadingHTTPServer):
    api: "ApiServer"
    daemon_threads = True

    def get_request(self) -> tuple[ssl.SSLSocket, object]:
        # Only the bare accept happens here: the handshake is made by the thread of the connection.
        plain, address = self.socket.accept()
        wrapped = self.api.context.wrap_socket(
            plain, server_side=True, do_handshake_on_connect=False
        )
        return wrapped, address

    def handle_error(self, request: object, client_address: object) -> None:
        """Says nothing: clients that break off are what the tests are about."""


@dataclass
class ApiServer:
    """What a test sets up and sees of it."""

    directory: Path
    context: ssl.SSLContext
    port: int = 0
    objects: dict[str, object] = field(default_factory=dict)
    misbehave: Callable[[Handler], None] | None = None
    requests: list[str] = field(default_factory=list)
    accepted: set[str] = field(default_factory=set)
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def root(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def settings(self) -> dict[str, str]:
        """A `kubernetes` section that works, by token."""
        return {
            "api_root": self.root,
            "ca_file": str(self.directory / "ca.pem"),
            "token_file": str(self.directory / "token"),
        }

    def add(self, kind: str, name: str, **metadata: object) -> None:
        """Adds a pod ("pods", "namespace/name") or a namespace ("namespaces", "name")."""
        namespace, _, pod = name.partition("/")
        path = f"/api/v1/namespaces/{namespace}" + (f"/pods/{pod}" if pod else "")
        self.objects[path] = {"kind": kind, "metadata": {"uid": "u-1"} | metadata}


@contextlib.contextmanager
def serve(directory: Path) -> Iterator[ApiServer]:
    """Runs an API server on a port of its own; its credentials lie in `directory`."""
    authority, clients = trustme.CA(), trustme.CA()
    _write_credentials(directory, authority, clients)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    clients.configure_trust(context)
    context.verify_mode = ssl.CERT_OPTIONAL
    api = ApiServer(directory=directory, context=context)
    with _Server(("127.0.0.1", 0), Handler) as server:
        server.api, api.port = api, server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield api
        finally:
            api.stopping.set()
            server.shutdown()
            thread.join()


def _write_credentials(directory: Path, authority: trustme.CA, clients: trustme.CA) -> None:
    certificate = clients.issue_cert("n1.nodes.example")
    stranger = trustme.CA()
    texts: Mapping[str, bytes] = {
        "ca.pem": authority.cert_pem.bytes(),
        "other-ca.pem": stranger.cert_pem.bytes(),
        "client.pem": certificate.cert_chain_pems[0].bytes(),
        "client.key": certificate.private_key_pem.bytes(),
        "stranger.pem": stranger.issue_cert("stranger.example").cert_chain_pems[0].bytes(),
        "token": f"{TOKEN}\n".encode(),
        "other-token": b"other",
    }
    for name, content in texts.items():
        (directory / name).write_bytes(content)
