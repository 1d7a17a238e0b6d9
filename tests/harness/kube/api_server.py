"""A Kubernetes API server of four kinds of objects, over real TLS.

It knows who asks by bearer token or client certificate, and what they may by `granted`; lists are
of one moment, watches go on from a revision, writes are refused on conflict. How it misbehaves is
in `harness.kube.faults`.
"""

import contextlib
import http.server
import json
import ssl
import threading
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.kube import certificates
from harness.kube.certificates import TOKEN
from harness.kube.statuses import Refused, refused
from harness.kube.store import Document, Store, Target

Right = tuple[str, str, str]  # verb, group, resource

_VERBS = {"GET": "get", "POST": "create", "PUT": "update"}


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers one connection the way the ApiServer that owns it says."""

    protocol_version = "HTTP/1.1"
    server: "_Server"

    @property
    def api(self) -> "ApiServer":
        """Whose connection it is."""
        return self.server.api

    @property
    def query(self) -> dict[str, str]:
        """The parameters of the request."""
        return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))

    @property
    def is_watch(self) -> bool:
        """Whether changes are asked for."""
        return self.query.get("watch") in ("true", "1")

    def do_GET(self) -> None:
        api = self.api
        api.requests.append(self.path)
        api.accepted.add(self.headers.get("Accept", ""))
        misbehave = api.misbehave
        if misbehave is not None:
            misbehave(self)
        else:
            self.proceed()

    do_POST = do_PUT = do_GET  # noqa: N815 - the names that http.server looks for

    def proceed(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Answers as a server does that is well.

        What happens `meanwhile` comes too late for the answer, and before anybody has it.
        """
        try:
            self._serve(meanwhile)
        except Refused as refusal:
            self.answer(refusal.code, json.dumps(refusal.document).encode())

    def answer(
        self,
        code: int,
        body: bytes,
        length: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Sends a whole answer; `length` claims another one."""
        self._read_body()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def begin_chunks(self, *, hanging_up: bool = False) -> None:
        """Begins an answer without a length; `hanging_up` says that it is the connection's last."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        if hanging_up:
            self.send_header("Connection", "close")
        self.end_headers()

    def chunk(self, content: bytes) -> None:
        """Sends a part of it; an empty one is the end."""
        self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))
        self.wfile.flush()

    def _serve(self, meanwhile: Callable[[], None]) -> None:
        if not self._is_known():
            raise refused(401, "Unauthorized")
        target = Target.of(self.api.path_of(self.path))
        self._authorize(target)
        if self.is_watch:
            self._watch(target)
            return
        document = self._done(target)
        meanwhile()
        code = 201 if self.command == "POST" else 200
        self.answer(code, json.dumps(document).encode())

    def _done(self, target: Target) -> Document:
        store, path = self.api.store, self.api.path_of(self.path)
        if self.command == "POST":
            body = self._body()
            metadata = body.get("metadata")
            name = metadata.get("name") if isinstance(metadata, dict) else None
            return store.create(f"{path}/{name}", body)
        if self.command == "PUT":
            return store.replace(path, self._body())
        if target.name:
            return store.get(path)
        query = self.query
        return store.page(target, int(query.get("limit", "0")), query.get("continue", ""))

    def _watch(self, target: Target) -> None:
        """Sends what changes until the time is over or somebody ends all watches."""
        api, query = self.api, self.query
        revision, ends = int(query["resourceVersion"]), api.watches_ended
        over = threading.Event()
        timer = threading.Timer(float(query.get("timeoutSeconds", "60")), over.set)
        timer.daemon = True
        timer.start()
        self.begin_chunks()
        api.watching.release()
        try:
            while not (over.is_set() or api.stopping.is_set() or api.watches_ended != ends):
                for event in api.store.after(target, revision, 0.05):
                    self.chunk(_line(event.type, event.object))
                    revision = event.revision
                if api.bookmarks and query.get("allowWatchBookmarks"):
                    revision = max(revision, api.store.revision)
                    self.chunk(_bookmark(target, revision))
        except Refused as refusal:
            self.chunk(_line("ERROR", refusal.document))
        finally:
            timer.cancel()
        self.chunk(b"")

    def _authorize(self, target: Target) -> None:
        verb = _VERBS[self.command]
        if verb == "get" and not target.name:
            verb = "watch" if self.is_watch else "list"
        right = (verb, target.group, target.resource)
        api = self.api
        api.used.add(right)
        if api.granted is not None and right not in api.granted:
            raise refused(
                403,
                f'{target.resource} is forbidden: User "system:serviceaccount:moorage:controller" '
                f'cannot {verb} resource "{target.resource}" in API group "{target.group}"',
                details={"kind": target.resource, "group": target.group},
            )

    def _is_known(self) -> bool:
        assert isinstance(self.connection, ssl.SSLSocket)
        if self.connection.getpeercert():
            return True
        said = self.headers.get("Authorization", "")
        return said.startswith("Bearer ") and said.removeprefix("Bearer ") in self.api.tokens

    def _body(self) -> Document:
        document = json.loads(self._read_body())
        assert isinstance(document, dict)
        return document

    def _read_body(self) -> bytes:
        length = int(self.headers.get("Content-Length") or 0)
        del self.headers["Content-Length"]
        return self.rfile.read(length)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


def _line(kind: str, document: Document) -> bytes:
    return json.dumps({"type": kind, "object": document}).encode() + b"\n"


def _bookmark(target: Target, revision: int) -> bytes:
    metadata = {"resourceVersion": str(revision), "creationTimestamp": None}
    bookmark: Document = {
        "kind": target.kind,
        "apiVersion": target.api_version,
        "metadata": metadata,
    }
    return _line("BOOKMARK", bookmark)


class _Server(http.server.ThreadingHTTPServer):
    api: "ApiServer"
    daemon_threads = True

    def get_request(self) -> tuple[ssl.SSLSocket, object]:
        # Only the bare accept happens here: the handshake is made by the thread of the connection.
        plain, address = self.socket.accept()
        context = self.api.known.expired if self.api.expired else self.api.known.context
        wrapped = context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        return wrapped, address

    def handle_error(self, request: object, client_address: object) -> None:
        """Says nothing: clients that break off are what the tests are about."""


@dataclass
class ApiServer:
    """What a test sets up and sees of it.

    `requests` and `used` are what was asked for; `granted` what may be, None being everything.
    `watching` is released once for each watch that has begun. `expired`: the certificate that is
    shown has run out.
    """

    directory: Path
    known: certificates.Certificates
    port: int = 0
    prefix: str = ""
    store: Store = field(default_factory=Store)
    tokens: set[str] = field(default_factory=lambda: {TOKEN})
    granted: set[Right] | None = None
    used: set[Right] = field(default_factory=set)
    bookmarks: bool = False
    expired: bool = False
    watches_ended: int = 0
    watching: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    misbehave: Callable[[Handler], None] | None = None
    requests: list[str] = field(default_factory=list)
    accepted: set[str] = field(default_factory=set)
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def root(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def objects(self) -> dict[str, Document]:
        """What is stored, by path."""
        return self.store.objects

    @property
    def settings(self) -> dict[str, str]:
        """A `kubernetes` section of a CNI config that works, by token."""
        return {
            "api_root": self.root,
            "ca_file": str(self.directory / "ca.pem"),
            "token_file": str(self.directory / "token"),
        }

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig that works, by token."""
        user = {"tokenFile": "token"}
        cluster = {"server": self.root, "certificate-authority": "ca.pem"}
        document = {
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "a", "user": "u"}}],
            "clusters": [{"name": "a", "cluster": cluster}],
            "users": [{"name": "u", "user": user}],
        }
        file = self.directory / "kubeconfig"
        file.write_text(json.dumps(document))
        return file

    def path_of(self, path: str) -> str:
        """The path of a request, without what stands before and after it."""
        bare = urllib.parse.urlsplit(path).path
        if not bare.startswith(self.prefix):
            raise refused(404, "the server could not find the requested resource")
        return bare.removeprefix(self.prefix)

    def add(self, kind: str, name: str, **metadata: object) -> None:
        """Adds a pod ("Pod", "namespace/name") or a namespace ("Namespace", "name")."""
        namespace, _, pod = name.partition("/")
        path = f"/api/v1/namespaces/{namespace}" + (f"/pods/{pod}" if pod else "")
        self.store.put(path, {"kind": kind, "metadata": {"uid": "u-1"} | metadata})

    def add_node(
        self,
        name: str,
        *,
        ready: str = "True",
        taints: tuple[str, ...] = (),
        labels: Mapping[str, str] | None = None,
    ) -> None:
        """Adds a node, or changes it."""
        document: Document = {
            "metadata": {"uid": f"uid-{name}", "labels": dict(labels or {})},
            "spec": {"taints": [{"key": key, "effect": "NoExecute"} for key in taints]},
            "status": {"conditions": [{"type": "Ready", "status": ready}]},
        }
        self.store.put(f"/api/v1/nodes/{name}", document)

    def add_pod(
        self,
        name: str,
        *,
        uid: str,
        node: str = "",
        phase: str = "Running",
        host_network: bool = False,
        annotations: dict[str, str] | None = None,
    ) -> None:
        """Adds a pod of "namespace/name", or changes it."""
        namespace, _, pod = name.partition("/")
        spec: Document = {"containers": []} | ({"nodeName": node} if node else {})
        if host_network:
            spec["hostNetwork"] = True
        document: Document = {
            "metadata": {"uid": uid, "annotations": annotations or {}},
            "spec": spec,
            "status": {"phase": phase},
        }
        self.store.put(f"/api/v1/namespaces/{namespace}/pods/{pod}", document)

    def remove_node(self, name: str) -> None:
        """Deletes a node."""
        self.store.remove(f"/api/v1/nodes/{name}")

    def remove_pod(self, name: str) -> None:
        """Deletes a pod of "namespace/name"."""
        namespace, _, pod = name.partition("/")
        self.store.remove(f"/api/v1/namespaces/{namespace}/pods/{pod}")

    def end_watches(self) -> None:
        """Ends every watch as a server does whose time for it is over."""
        self.watches_ended += 1


@contextlib.contextmanager
def serve(directory: Path) -> Iterator[ApiServer]:
    """Runs an API server on a port of its own; its credentials lie in `directory`."""
    api = ApiServer(directory=directory, known=certificates.write(directory))
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
