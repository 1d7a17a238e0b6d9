"""The environment of one plugin call, checked before any work: what, for which container, where.

Standard input is netconf's part.
"""

import enum
import os
import re
from collections.abc import Mapping
from typing import NamedTuple

from moorage.cni import errors

OWN_NETNS = "/proc/thread-self/ns/net"

_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_INTERFACE = re.compile(r"[^/:\s]{1,15}")


class Verb(enum.StrEnum):
    """What a runtime may ask for."""

    ADD = "ADD"
    DEL = "DEL"
    CHECK = "CHECK"
    GC = "GC"
    STATUS = "STATUS"
    VERSION = "VERSION"


_REQUIRED = {
    Verb.ADD: ("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"),
    Verb.CHECK: ("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"),
    Verb.DEL: ("CNI_CONTAINERID", "CNI_IFNAME"),
    Verb.GC: ("CNI_PATH",),
    Verb.STATUS: (),
    Verb.VERSION: (),
}
_WITH_CONTAINER = {Verb.ADD, Verb.CHECK, Verb.DEL}


class Invocation(NamedTuple):
    """One call; `container_id` and `interface` are empty for verbs that are about no container.

    `began`: what the boot-time clock said when it did, in nanoseconds.
    """

    verb: Verb
    container_id: str
    interface: str
    args: Mapping[str, str]
    began: int

    @property
    def namespace(self) -> str:
        """Namespace of the pod, or empty."""
        return self.args.get("K8S_POD_NAMESPACE", "")

    @property
    def pod(self) -> str:
        """Name of the pod, or empty; podman puts the container's name there."""
        return self.args.get("K8S_POD_NAME", "")

    @property
    def pod_uid(self) -> str:
        """Uid of the pod, or empty."""
        return self.args.get("K8S_POD_UID", "")


def is_identifier(text: str) -> bool:
    """Says whether the CNI specification allows it as container id and network name."""
    return _IDENTIFIER.fullmatch(text) is not None


def is_interface(text: str) -> bool:
    """Says whether it can name an interface."""
    named = _INTERFACE.fullmatch(text) is not None and text not in (".", "..")
    return named and text.isprintable()


def parse(environment: Mapping[str, str], began: int) -> Invocation:
    """Reads the CNI_ variables.

    Raises:
        CniError: INVALID_ENVIRONMENT, naming every variable that is missing, or the first bad one.
    """
    verb = _verb(environment)
    _refuse_missing(environment, ("CNI_COMMAND", *_REQUIRED[verb]))
    call = Invocation(
        verb=verb,
        container_id=environment.get("CNI_CONTAINERID", ""),
        interface=environment.get("CNI_IFNAME", ""),
        args=parse_args(environment.get("CNI_ARGS", "")),
        began=began,
    )
    if verb in _WITH_CONTAINER:
        _refuse_bad_names(call)
    return call


def parse_args(text: str) -> dict[str, str]:
    """Splits CNI_ARGS, "K=V;K2=V2", in any order; what is no pair is passed over."""
    pairs = (pair.partition("=") for pair in text.split(";"))
    return {key: value for key, equals, value in pairs if equals}


def refuse_own_netns(environment: Mapping[str, str]) -> None:
    """Keeps ADD and DEL from working on the namespace this program itself runs in.

    Raises:
        CniError: INVALID_NETNS.
    """
    if environment.get("CNI_NETNS_OVERRIDE", "").upper() in ("TRUE", "1"):
        return
    netns = environment.get("CNI_NETNS", "")
    if netns and _is_own_netns(netns):
        raise errors.CniError(
            errors.Code.INVALID_NETNS,
            f"CNI_NETNS {errors.quote(netns)} is the plugin's own network namespace",
            "pass the container's namespace, or set CNI_NETNS_OVERRIDE=true if this is meant",
        )


def _verb(environment: Mapping[str, str]) -> Verb:
    command = environment.get("CNI_COMMAND", "")
    if not command:
        _refuse_missing(environment, ("CNI_COMMAND",))
    if command not in Verb.__members__:
        raise errors.CniError(
            errors.Code.INVALID_ENVIRONMENT,
            f"unknown CNI_COMMAND: {errors.quote(command)}",
            f"known are {', '.join(Verb)}",
        )
    return Verb(command)


def _refuse_missing(environment: Mapping[str, str], required: tuple[str, ...]) -> None:
    missing = [name for name in required if not environment.get(name)]
    if missing:
        raise errors.CniError(
            errors.Code.INVALID_ENVIRONMENT,
            f"required env variables [{','.join(missing)}] missing",
            "a container runtime sets them; to try by hand, use cnitool",
        )


def _refuse_bad_names(call: Invocation) -> None:
    if not is_identifier(call.container_id):
        raise errors.CniError(
            errors.Code.INVALID_ENVIRONMENT,
            f"invalid characters in CNI_CONTAINERID {errors.quote(call.container_id)}",
            "letters, digits, '_', '.' and '-', the first alphanumeric, at most 128",
        )
    if not is_interface(call.interface):
        raise errors.CniError(
            errors.Code.INVALID_ENVIRONMENT,
            f"invalid CNI_IFNAME {errors.quote(call.interface)}",
            "1 to 15 printable characters, no '/', ':' or white space, not '.' or '..'",
        )


def _is_own_netns(path: str) -> bool:
    try:
        theirs, ours = os.stat(path), os.stat(OWN_NETNS)
    except (OSError, ValueError):
        # A namespace that is gone is no reason to refuse: DEL must work without one.
        return False
    return (theirs.st_dev, theirs.st_ino) == (ours.st_dev, ours.st_ino)
