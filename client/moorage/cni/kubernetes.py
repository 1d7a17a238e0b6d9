"""GETs to the Kubernetes API: the metadata of a pod and of its namespace.

What the annotations in them mean is annotations' part.
"""

import http.client
import os
import re
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from moorage.cni import errors, jsontext
from moorage.cni.deadline import Deadline
from moorage.cni.kubeconfig import Access

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

LONGEST_BODY = 4 << 20
_MIRROR_POD = "kubernetes.io/config.mirror"

ACCEPT = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_TRY_AGAIN_STATUSES = {408, 409, 429, 500, 502, 503, 504}
_NEXT_STEPS = {
    401: "renew the token or certificate that the CNI config names",
    403: 'grant the verb "get" on pods and namespaces to the identity of the CNI config',
    404: "the object is gone or never was; nothing is left to do for it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """Of one object: what Moorage reads of it."""

    uid: str
    annotations: Mapping[str, str]
    labels: Mapping[str, str]

    @property
    def is_mirror(self) -> bool:
        """Whether it stands for a static pod."""
        return _MIRROR_POD in self.annotations


class Api:
    """One connection to an API server, within one deadline; a context manager."""

    def __init__(self, access: Access, deadline: Deadline) -> None:
        self._access = access
        self._deadline = deadline
        self._connection = http.client.HTTPSConnection(access.host, access.port)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def namespace(self, name: str) -> Metadata:
        """Reads a namespace; errors as in pod()."""
        what = f"namespace {name}"
        return self._metadata(what, self._read(f"/api/v1/namespaces/{_checked(name)}", what))

    def pod(self, namespace: str, name: str) -> Metadata:
        """Reads a pod.

        Raises:
            CniError: TRY_AGAIN_LATER, no answer or a failing server; KUBERNETES_REFUSED, a refusal
                that trying again does not change; INVALID_ENVIRONMENT, the name cannot be one.
        """
        path = f"/api/v1/namespaces/{_checked(namespace)}/pods/{_checked(name)}"
        what = f"pod {namespace}/{name}"
        return self._metadata(what, self._read(path, what))

    def _read(self, path: str, what: str) -> bytes:
        try:
            status, body = self._exchange(path)
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError) as error:
            raise self._try_again(what, type(error).__name__) from error
        except ssl.SSLError as error:
            raise self._untrusted(what, error) from error
        except (OSError, http.client.HTTPException) as error:
            raise self._try_again(what, type(error).__name__) from error
        if status in _TRY_AGAIN_STATUSES:
            raise self._try_again(what, f"HTTP status {status}")
        if status != 200:
            raise self._refused(what, f"HTTP status {status}", _NEXT_STEPS.get(status, ""))
        return body

    def _exchange(self, path: str) -> tuple[int, bytes]:
        if self._connection.sock is None:
            self._connection.sock = connect(self._access, self._left)
        fields = headers(self._access, ACCEPT)
        self._connection.request("GET", self._access.path + path, headers=fields)
        with self._connection.getresponse() as response:
            body = response.read(LONGEST_BODY + 1)
            if len(body) > LONGEST_BODY:
                raise http.client.HTTPException("too long")
            if response.length:
                raise http.client.IncompleteRead(body, response.length)
            return response.status, body

    def _left(self) -> float:
        return self._deadline.remaining(f"the Kubernetes API at {self._server}")

    def _metadata(self, what: str, body: bytes) -> Metadata:
        try:
            return metadata_of(jsontext.decode(body))
        except ValueError as error:
            rule = f"the answer is no Kubernetes object: {error}"
            raise self._refused(what, rule, "check that api_root is an API server") from error

    def _try_again(self, what: str, why: str) -> errors.CniError:
        return errors.CniError(
            errors.Code.TRY_AGAIN_LATER,
            f"cannot read {what} from the Kubernetes API at {self._server}: {why}",
            "the runtime tries again; if this stays, check that the node can reach the API server",
        )

    def _untrusted(self, what: str, error: ssl.SSLError) -> errors.CniError:
        why = getattr(error, "verify_message", None) or error.reason or "handshake failed"
        return self._refused(
            what, f"TLS: {why}", "check the CA and the client certificate that the CNI config names"
        )

    def _refused(self, what: str, why: str, next_step: str) -> errors.CniError:
        return errors.CniError(
            errors.Code.KUBERNETES_REFUSED,
            f"cannot read {what} from the Kubernetes API at {self._server}: {why}",
            next_step,
        )

    @property
    def _server(self) -> str:
        return f"{self._access.host}:{self._access.port}"


def connect(access: Access, left: Callable[[], float]) -> ssl.SSLSocket:
    """Connects; each time it waits, also later for what is received, it is for `left()` seconds.

    Raises:
        CniError: INVALID_CONFIG, a certificate or key is unusable; and whatever `left` raises.
    """

    class TimedSocket(ssl.SSLSocket):
        """Its reads are bounded together: a server that drips bytes is no reason to stay."""

        def recv_into(
            self, buffer: "WriteableBuffer", nbytes: int | None = None, flags: int = 0
        ) -> int:
            self.settimeout(left())
            return super().recv_into(buffer, nbytes, flags)

        def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
            # Called only by ssl itself, for a peer that is gone before the handshake; where that
            # was by a reset, ssl forgets to close what nobody else has in hand yet.
            try:
                return super().recv(buflen, flags)
            except ConnectionError:
                self.close()
                raise

    context = _tls(access)
    context.sslsocket_class = TimedSocket
    plain = socket.create_connection((access.host, access.port), timeout=left())
    return context.wrap_socket(plain, server_hostname=access.server_name or access.host)


def _tls(access: Access) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if access.ca_pem:
            context.load_verify_locations(cadata=access.ca_pem)
        else:
            context.load_default_certs()
        if access.certificate_pem:
            _load_certificate(context, access.certificate_pem, access.key_pem)
    except (ssl.SSLError, ValueError) as error:
        raise errors.CniError(
            errors.Code.INVALID_CONFIG,
            "the CA, client certificate or client key of the Kubernetes configuration is unusable",
            "name files of PEM text, and the key that belongs to the certificate",
        ) from error
    return context


def _load_certificate(context: ssl.SSLContext, certificate: str, key: str) -> None:
    # The ssl module reads certificates from files only; this one is in memory, never on a disk.
    with os.fdopen(os.memfd_create("client-certificate"), "w") as file:
        file.write(f"{certificate}\n{key}\n")
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{file.fileno()}")


def headers(access: Access, accept: str) -> dict[str, str]:
    """Says who asks, and in which form an answer is wanted."""
    fields = {"Accept": accept, "User-Agent": "moorage"}
    if access.token:
        fields["Authorization"] = f"Bearer {access.token}"
    return fields


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name) or ".." in name:
        raise errors.CniError(
            errors.Code.INVALID_ENVIRONMENT,
            f"CNI_ARGS names a pod or namespace {errors.quote(name)}, which is no Kubernetes name",
            "pass K8S_POD_NAMESPACE and K8S_POD_NAME as the runtime knows them",
        )
    return name


def metadata_of(document: object) -> Metadata:
    """Reads an object of the API.

    Raises:
        ValueError: it is none.
    """
    metadata = document.get("metadata") if isinstance(document, dict) else None
    if not isinstance(metadata, dict):
        raise ValueError("it has no metadata")
    return Metadata(
        uid=str(metadata.get("uid", "")),
        annotations=_texts(metadata.get("annotations")),
        labels=_texts(metadata.get("labels")),
    )


def _texts(value: object) -> dict[str, str]:
    entries = value.items() if isinstance(value, dict) else ()
    texts = {key: text for key, text in entries if isinstance(text, str)}
    if value is not None and (not isinstance(value, dict) or len(texts) < len(value)):
        raise ValueError("annotations or labels are no texts")
    return texts
