"""As much of a Kubernetes API server as an IPAM plugin asks: GET of a pod and of a namespace.

Over HTTPS with a certificate authority of its own, for whoever shows the token.
"""

import contextlib
import dataclasses
import http.server
import json
import pathlib
import secrets
import ssl
import threading
from collections.abc import Iterator, Mapping

import trustme


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StandIn:
    """A running server; `objects` are by path."""

    access: Mapping[str, str]
    objects: dict[str, object]

    def put_namespace(self, name: str, **metadata: object) -> None:
        """Adds a namespace, or takes the place of the one of that name."""
        self.objects[f"/api/v1/namespaces/{name}"] = _object("Namespace", name, metadata)

    def put_pod(self, namespace: str, name: str, **metadata: object) -> None:
        """Adds a pod, or takes the place of the one of that name."""
        path = f"/api/v1/namespaces/{namespace}/pods/{name}"
        self.objects[path] = _object("Pod", name, metadata)


class _Handler(http.server.BaseHTTPRequestHandler):
    """Answers from the objects of its server."""

    protocol_version = "HTTP/1.1"
    server: "_Server"

    def do_GET(self) -> None:
        """Answers with the object, or with a Status that says why not."""
        if self.headers.get("Authorization") != f"Bearer {self.server.token}":
            self._answer(401, {"kind": "Status", "code": 401, "reason": "Unauthorized"})
        elif self.path not in self.server.objects:
            self._answer(404, {"kind": "Status", "code": 404, "reason": "NotFound"})
        else:
            self._answer(200, self.server.objects[self.path])

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""

    def _answer(self, status: int, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, context: ssl.SSLContext, token: str, objects: Mapping[str, object]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.token = token
        self.objects = objects


@contextlib.contextmanager
def serve(directory: pathlib.Path) -> Iterator[StandIn]:
    """Runs one on a free port of loopback; `access` is the `kubernetes` section of a CNI config.

    The files of that section are written into `directory`.
    """
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    token = secrets.token_urlsafe()
    ca_file, token_file = directory / "ca.pem", directory / "token"
    authority.cert_pem.write_to_path(ca_file)
    token_file.write_text(f"{token}\n")
    objects: dict[str, object] = {}
    with _Server(context, token, objects) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        root = f"https://127.0.0.1:{server.server_port}"
        access = {"api_root": root, "ca_file": str(ca_file), "token_file": str(token_file)}
        try:
            yield StandIn(access=access, objects=objects)
        finally:
            server.shutdown()
            thread.join()


def _object(kind: str, name: str, metadata: Mapping[str, object]) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, **metadata}}
