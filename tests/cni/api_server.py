"""A Kubernetes API server of two kinds of objects, over real TLS, that can also misbehave."""

import contextlib
import http.server
import json
import ssl
import threading
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import trustme

TOKEN = "token-of-the-plugin"
NAMESPACES = "/api/v1/namespaces"


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers GETs the way the ApiServer that owns it says."""

    protocol_version = "HTTP/1.1"
    server: "_Server"

    def do_GET(self) -> None:
        api = self.server.api
        path, _, query = self.path.partition("?")
        if path == NAMESPACES:
            self._answer_watcher(dict(urllib.parse.parse_qsl(query)))
            return
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

    def _answer_watcher(self, query: Mapping[str, str]) -> None:
        api = self.server.api
        api.watchers.append(query)
        if not self._is_known() or not api.is_watchable:
            self.answer(403, b'{"kind":"Status","code":403}')
        elif "watch" in query:
            self._watch(int(query["resourceVersion"]))
        else:
            self.answer(200, json.dumps(api.page(query)).encode())

    def _watch(self, version: int) -> None:
        """Sends what came after a version, and ends: whoever asks for more has seen it."""
        api = self.server.api
        if version < api.oldest:
            gone = {"type": "ERROR", "object": {"kind": "Status", "code": 410}}
            self.answer(200, json.dumps(gone).encode() + b"\n")
            return
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with api.changed:
            api.seen = max(api.seen, version)
            api.watching += 1
            api.changed.notify_all()
            api.changed.wait_for(lambda: len(api.events) > version or api.stopping.is_set())
            lines = [json.dumps(each).encode() + b"\n" for each in api.events[version:]]
            api.watching -= 1
        for each in (*lines, b""):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(each), each))

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
    # Of namespaces: what was asked by list and watch, and the events, by version. The newest that
    # a watcher has come back from, and how many wait for more.
    is_watchable: bool = True
    watchers: list[Mapping[str, str]] = field(default_factory=list)
    events: list[dict[str, object]] = field(default_factory=list)
    oldest: int = 0
    seen: int = 0
    watching: int = 0
    changed: threading.Condition = field(default_factory=threading.Condition)

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
        about = {"uid": "u-1", "name": pod or namespace} | metadata
        kind_of_event = "MODIFIED" if path in self.objects else "ADDED"
        self.objects[path] = {"kind": kind, "metadata": about}
        if not pod:
            self._tell(kind_of_event, about)

    def remove_namespace(self, name: str) -> None:
        """Deletes a namespace."""
        del self.objects[f"{NAMESPACES}/{name}"]
        self._tell("DELETED", {"name": name})

    def _tell(self, kind: str, about: Mapping[str, object]) -> None:
        with self.changed:
            version = len(self.events) + 1
            versioned = {"metadata": {**about, "resourceVersion": str(version)}}
            self.events.append({"type": kind, "object": versioned})
            if self.watching:
                self.changed.notify_all()
                if self.is_watchable and not self.oldest:
                    # Those who watch have seen it before whoever made the change goes on.
                    assert self.changed.wait_for(lambda: self.seen >= version, timeout=20)

    def page(self, query: Mapping[str, str]) -> dict[str, object]:
        """Two namespaces of a list, and where it goes on."""
        with self.changed:
            paths = sorted(each for each in self.objects if "/pods/" not in each)
            start = int(query.get("continue", "0"))
            more = str(start + 2) if start + 2 < len(paths) else ""
            about = {"resourceVersion": str(len(self.events)), "continue": more}
            return {"metadata": about, "items": [self.objects[p] for p in paths[start : start + 2]]}

    def stop(self) -> None:
        """Lets everybody go who waits."""
        with self.changed:
            self.stopping.set()
            self.changed.notify_all()


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
            api.stop()
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
