"""Where the Kubernetes API is and how to show who we are: from a kubeconfig or spelled out.

The calls themselves are kubernetes' part.
"""

import base64
import dataclasses
import os
import urllib.parse
from typing import Self

from moorage.cni import errors, netconf, settings

_UNSUPPORTED = (
    *("exec", "auth-provider", "username", "password"),
    *("insecure-skip-tls-verify", "proxy-url"),
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One API server; an empty field is an absent one. PEM fields hold the text itself."""

    host: str
    port: int
    path: str
    server_name: str = ""
    ca_pem: str = ""
    token: str = dataclasses.field(default="", repr=False)
    certificate_pem: str = ""
    key_pem: str = dataclasses.field(default="", repr=False)


def access(cluster: settings.Cluster) -> Access:
    """Reads the files that the configuration names.

    Raises:
        CniError: INVALID_CONFIG, naming the key and the file, and what is wrong with it.
    """
    if cluster.kubeconfig:
        return _Kubeconfig.load(cluster.kubeconfig).access()
    host, port, path = _root("kubernetes.api_root", cluster.api_root)
    return Access(
        host=host,
        port=port,
        path=path,
        ca_pem=_file("ca_file", cluster.ca_file),
        token=_line("token_file", cluster.token_file),
        certificate_pem=_file("client_certificate", cluster.client_certificate),
        key_pem=_file("client_key", cluster.client_key),
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Kubeconfig:
    """The two objects of a kubeconfig that its current context names."""

    file: str
    cluster: netconf.Object
    user: netconf.Object

    @classmethod
    def load(cls, file: str) -> Self:
        document = _yaml(file)
        context = _named(file, document, "contexts", document.get("current-context"), "context")
        found = cls(
            file=file,
            cluster=_named(file, document, "clusters", context.get("cluster"), "cluster"),
            user=_named(file, document, "users", context.get("user"), "user"),
        )
        for key in _UNSUPPORTED:
            if found.cluster.get(key) or found.user.get(key):
                raise _refuse(file, f'"{key}" is not supported', "use a token or a certificate")
        return found

    def access(self) -> Access:
        host, port, path = _root("kubernetes.kubeconfig", self._text(self.cluster, "server"))
        token_file = self._path(self._text(self.user, "tokenFile"))
        return Access(
            host=host,
            port=port,
            path=path,
            server_name=self._text(self.cluster, "tls-server-name"),
            ca_pem=self._pem(self.cluster, "certificate-authority"),
            token=_line("kubeconfig", token_file) or self._text(self.user, "token"),
            certificate_pem=self._pem(self.user, "client-certificate"),
            key_pem=self._pem(self.user, "client-key"),
        )

    def _pem(self, part: netconf.Object, key: str) -> str:
        inline = self._text(part, f"{key}-data")
        if not inline:
            return _file("kubeconfig", self._path(self._text(part, key)))
        try:
            return base64.b64decode(inline, validate=True).decode("ascii")
        except ValueError as error:
            raise _refuse(self.file, f'"{key}-data" is not base64 of PEM', "renew it") from error

    def _path(self, path: str) -> str:
        return os.path.join(os.path.dirname(self.file), path) if path else ""

    def _text(self, part: netconf.Object, key: str) -> str:
        value = part.get(key) or ""
        if not isinstance(value, str) or not value.isprintable():
            # The value may be a secret: it is not shown.
            raise _refuse(self.file, f'"{key}" is no plain text', "correct it")
        return value


def _yaml(file: str) -> netconf.Object:
    from moorage.cni import yamltext  # noqa: PLC0415 - only this way of configuration pays for it

    text = settings.read_text("kubernetes.kubeconfig", file)
    try:
        document = yamltext.decode(text)
    except ValueError as error:
        raise _refuse(file, "the file is not YAML", "write a kubeconfig") from error
    if not isinstance(document, dict):
        raise _refuse(file, "the file is not a kubeconfig", "write a kubeconfig")
    return document


def _named(
    file: str, document: netconf.Object, plural: str, name: object, singular: str
) -> netconf.Object:
    listed = document.get(plural)
    for entry in listed if isinstance(listed, list) else []:
        if isinstance(entry, dict) and name and entry.get("name") == name:
            part = entry.get(singular)
            return part if isinstance(part, dict) else {}
    wanted = errors.quote(name if isinstance(name, str) else "")
    raise _refuse(file, f"{plural} has no {wanted}", "set current-context and what it names")


def _root(key: str, text: str) -> tuple[str, int, str]:
    try:
        url = urllib.parse.urlsplit(text)
        host, port = url.hostname or "", url.port or 443
        host.encode("idna")
        extra = not url.path.isascii() or url.username or url.query or url.fragment
    except ValueError:
        host, extra = "", ""
    if not host or url.scheme != "https" or extra:
        raise netconf.invalid(key, text, "not the https URL of a server", "write https://host:6443")
    return host, port, url.path.rstrip("/")


def _file(key: str, path: str) -> str:
    return settings.read_text(f"kubernetes.{key}", path) if path else ""


def _line(key: str, path: str) -> str:
    return settings.read_line(f"kubernetes.{key}", path) if path else ""


def _refuse(file: str, rule: str, next_step: str) -> errors.CniError:
    return netconf.invalid("kubernetes.kubeconfig", file, rule, next_step)
