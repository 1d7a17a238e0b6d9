"""The network configuration on standard input: what every verb needs of it, as typed values.

What a runtime passes beside it in the environment is invocation's part; what only ADD needs is
settings'.
"""

import json
import re
from collections.abc import Mapping
from typing import NamedTuple

from moorage import targets, tls
from moorage.cni import errors, invocation, jsontext, origin, versions

POD_ANNOTATIONS = "io.kubernetes.cri.pod-annotations"

DEFAULT_SERVER = "127.0.0.1:7711"
DEFAULT_TIMEOUT = 30.0
LONGEST_TIMEOUT = 90.0

_VRF = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")

Object = Mapping[str, object]


class NetConf(NamedTuple):
    """What every verb needs; `document` is the whole of it, for what only some verbs need."""

    cni_version: str
    name: str
    server: str
    vrf: str
    timeout_seconds: float
    document: Object
    files: tls.Tls | None = None

    @property
    def ipam(self) -> Object:
        """The object that is ours."""
        return section(self.document, "ipam")


def parse(stdin: bytes) -> NetConf:
    """Reads what every verb needs.

    Raises:
        CniError: DECODING_FAILURE for what is no JSON object; INVALID_CONFIG, naming key and value.
    """
    document = _decode(stdin)
    ipam = section(document, "ipam")
    if document.get("ipam") is None:
        raise invalid("ipam", None, "missing", 'add "ipam": {"type": "moorage"}')
    return NetConf(
        cni_version=_version(document),
        name=_name(document),
        server=_server(ipam),
        vrf=_vrf(ipam),
        timeout_seconds=_timeout(ipam),
        document=document,
        files=_files(ipam),
    )


def require_version(conf: NetConf, since: str, verb: str) -> None:
    """Holds a call to the versions of the CNI specification that know it.

    Raises:
        CniError: INCOMPATIBLE_VERSION.
    """
    speakable = versions.VERSIONS[versions.VERSIONS.index(since) :]
    if conf.cni_version not in speakable:
        raise errors.CniError(
            errors.Code.INCOMPATIBLE_VERSION,
            f"incompatible CNI versions: cniVersion {errors.quote(conf.cni_version)} "
            f"does not allow {verb}",
            f"moorage supports {', '.join(speakable)} for {verb}",
        )


def pod_annotations(conf: NetConf) -> Mapping[str, str] | None:
    """Returns the annotations the runtime passed; None when it passed none at all."""
    value = section(conf.document, "runtimeConfig").get(POD_ANNOTATIONS)
    if value is None:
        return None
    return text_map(f"runtimeConfig.{POD_ANNOTATIONS}", value)


def text_map(key: str, value: object) -> dict[str, str]:
    """Takes a JSON object of strings; `key` says where it stands.

    Raises:
        CniError: INVALID_CONFIG, it is something else.
    """
    if not isinstance(value, dict):
        raise invalid(key, value, "not an object", "write a JSON object of strings")
    for name, text_value in value.items():
        if not isinstance(text_value, str):
            raise invalid(f"{key}.{name}", text_value, "not a string", "write strings")
    return value


def section(document: Object, key: str, path: str = "") -> Object:
    """Returns an object inside the configuration; absent and null are empty.

    Raises:
        CniError: INVALID_CONFIG, it is something else.
    """
    value = document.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid(path + key, value, "not an object", "write a JSON object")
    return value


def invalid(key: str, value: object, rule: str, next_step: str) -> errors.CniError:
    """Makes the error that the value of a key of the configuration breaks a rule."""
    return written(key, value).refuse(rule, next_step)


def written(key: str, value: object) -> origin.Origin:
    """Points at the value of a key of the configuration."""
    return origin.Origin(
        name=f'key "{key}"',
        where="the CNI config",
        value=json.dumps(value),
        code=errors.Code.INVALID_CONFIG,
    )


def _decode(stdin: bytes) -> Object:
    try:
        document = jsontext.decode(stdin)
        if not isinstance(document, dict):
            raise ValueError("not a JSON object")
    except ValueError as error:
        raise errors.CniError(
            errors.Code.DECODING_FAILURE,
            f"the network configuration on standard input cannot be decoded: {error}",
            "pass one JSON object",
        ) from error
    return document


def _version(document: Object) -> str:
    return text(document, "cniVersion") or versions.OLDEST


def _name(document: Object) -> str:
    name = text(document, "name")
    if not name:
        raise invalid("name", document.get("name"), "missing network name", "name the network")
    if not invocation.is_identifier(name):
        raise invalid(
            "name",
            name,
            "invalid characters in network name",
            "letters, digits, '_', '.' and '-', the first alphanumeric, at most 128",
        )
    return name


def _server(ipam: Object) -> str:
    server = text(ipam, "server", "ipam.") or DEFAULT_SERVER
    try:
        targets.uri(server)
    except ValueError as error:
        raise invalid("ipam.server", server, "not a gRPC target", "write host:port") from error
    return server


def _files(ipam: Object) -> tls.Tls | None:
    written = section(ipam, "tls", "ipam.")
    paths = [text(written, key, "ipam.tls.") for key in tls.Tls._fields]
    try:
        return tls.of(*paths)
    except tls.Unusable as error:
        raise invalid("ipam.tls", dict(written), str(error), "see docs/security.md") from error


def _vrf(ipam: Object) -> str:
    vrf = text(ipam, "vrf", "ipam.") or "default"
    if not _VRF.fullmatch(vrf):
        raise invalid("ipam.vrf", vrf, "not a VRF id", "lower case letters, digits and '-'")
    return vrf


def _timeout(ipam: Object) -> float:
    value = ipam.get("timeout_seconds")
    if value is None:
        return DEFAULT_TIMEOUT
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid("ipam.timeout_seconds", value, "not a number", "write seconds, such as 30")
    if not 0 < value <= LONGEST_TIMEOUT:
        rule = f"not more than 0 and at most {LONGEST_TIMEOUT:g}"
        raise invalid("ipam.timeout_seconds", value, rule, "write seconds, such as 30")
    return float(value)


def text(document: Object, key: str, path: str = "") -> str:
    """Returns a string of the configuration; absent and null are empty.

    Raises:
        CniError: INVALID_CONFIG, it is something else.
    """
    value = document.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise invalid(path + key, value, "not a string", "write a string")
    if not value.isprintable():
        raise invalid(path + key, value, "not plain text", "leave control characters out")
    return value
