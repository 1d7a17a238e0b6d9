"""The parsers of the CNI plugin: annotations, addresses as Go reads them, whole calls."""

import contextlib
import json
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, NoReturn

from fuzz import texts
from fuzz.target import Target
from moorage import targets, tls
from moorage.cni import (
    addresses,
    annotations,
    constraints,
    errors,
    handler,
    invocation,
    netconf,
    request,
    result,
    runtime_ips,
    settings,
    valid_attachments,
)
from moorage.cni.release import Release
from moorage.v1 import allocation_service_pb2, resources_pb2

if TYPE_CHECKING:
    from moorage import allocations
    from moorage.cni import kubernetes
    from moorage.cni.deadline import Deadline

_KEYS = (
    annotations.IPV4_POOLS,
    annotations.IPV6_POOLS,
    annotations.IP_FAMILIES,
    annotations.IP_ADDRS,
    annotations.OWNER,
    annotations.STICKY,
    annotations.WAIT,
    annotations.IP_ADDRS_NO_IPAM,
    annotations.FLOATING_IPS,
)
_CONF = netconf.parse(b'{"name": "pods", "ipam": {"assign_ipv6": true, "ip_addrs": "strict"}}')
_CHOSEN = settings.parse(_CONF)
_LONGEST_DOCUMENT = 3 * errors.LONGEST_TEXT_SHOWN * len("\\u0000")


def _annotations(data: bytes) -> None:
    """Annotations, separated by NUL: a letter says which, in lower case of the namespace."""
    levels: dict[bool, dict[str, str]] = {True: {}, False: {}}
    for each in filter(None, texts.text_of(data).split("\0")):
        key = _KEYS[(ord(each[0].upper()[0]) - ord("A")) % len(_KEYS)]
        levels[each[0].islower()][key] = each[1:]
    wanted = annotations.resolve(
        annotations.Level("pod shop/web-0", levels[False]),
        annotations.Level("namespace shop", levels[True]),
        _CHOSEN,
    )
    _ask(wanted)


def _ask(wanted: constraints.Constraints) -> None:
    """What was read can be asked for."""
    message = allocation_service_pb2.AssignAddressesRequest(
        addresses=request.addresses(wanted.choices), owner_key=wanted.owner
    )
    assert message.SerializeToString()
    assert all(place.isprintable() for place in wanted.said_by)


def _plugin_addresses(data: bytes) -> None:
    text = texts.text_of(data)
    found = addresses.parse(text)
    assert addresses.parse(str(found)) == found
    assert found == _of_libc(text)


def _of_libc(text: str) -> addresses.Address:
    """What inet_pton makes of it, which reads addresses as Go does."""
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    packed = socket.inet_pton(family, text)
    return addresses.parse(socket.inet_ntop(family, packed))


class _Nobody:
    """Where a call comes to when all of it was good: there is no server."""

    def __init__(self) -> None:
        self.releases: list[Release] = []

    @contextlib.contextmanager
    def server(self, target: str, files: tls.Tls | None) -> "Iterator[allocations.Allocations]":
        assert targets.uri(target)
        assert files is None or all(map(str.isprintable, files))
        _away()
        yield  # never come to

    @contextlib.contextmanager
    def kubernetes(
        self,
        cluster: settings.Cluster,  # noqa: ARG002
        deadline: "Deadline",  # noqa: ARG002
    ) -> "Iterator[kubernetes.Api]":
        _away()
        yield  # never come to

    def settle(self, attachment: Release, deadline: "Deadline") -> None:  # noqa: ARG002
        self.releases.append(attachment)

    def release(self, release: Release, deadline: "Deadline") -> None:  # noqa: ARG002
        self.releases.append(release)


def _away() -> NoReturn:
    raise errors.CniError(errors.Code.TRY_AGAIN_LATER, "nobody is there")


def _calls(data: bytes) -> None:
    """Lines of the environment, an empty one, and standard input."""
    head, _, stdin = data.partition(b"\n\n")
    pairs = (line.partition(b"=") for line in head.split(b"\n"))
    environment = {_fs(name): _fs(value) for name, _, value in pairs if b"\0" not in name + value}
    nobody = _Nobody()
    reply = handler.handle(environment, stdin, nobody, 7)
    assert len(reply.stdout) < _LONGEST_DOCUMENT
    if reply.stdout:
        assert json.loads(reply.stdout)["cniVersion"]
    for each in nobody.releases:
        assert json.loads(json.dumps(each._asdict())) == each._asdict()
        attachment = (each.network, each.container_id, each.interface)
        assert resources_pb2.Attachment(network=attachment[0], container_id=attachment[1])
    _read_all(environment, stdin)


def _fs(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")


def _read_all(environment: dict[str, str], stdin: bytes) -> None:
    """What only some verbs read, whichever this is."""
    conf = netconf.parse(stdin)
    for read in (settings.parse, valid_attachments.read, result.previous_addresses):
        with contextlib.suppress(errors.CniError):
            read(conf)
    call = invocation.parse(environment, 7)
    fixed = runtime_ips.read(conf, call)
    passed = annotations.Level("pod", netconf.pod_annotations(conf) or {})
    chosen = settings.parse(conf)
    _ask(annotations.resolve(passed, annotations.Level("namespace", {}), chosen, fixed))


TARGETS = (
    Target(
        name="annotations",
        feed=_annotations,
        declared=(errors.CniError,),
        longest=4 * annotations.LONGEST_VALUE,
        seconds=0.01,
    ),
    Target(
        name="plugin-addresses",
        feed=_plugin_addresses,
        declared=(ValueError,),
        longest=256,
        seconds=0.01,
    ),
    Target(
        name="calls",
        feed=_calls,
        declared=(errors.CniError,),
        longest=16384,
        seconds=0.02,
    ),
)
