"""Manifests: what is written in YAML about one resource, read and written in the form of Moorage.

    apiVersion: moorage.dev/v1
    kind: Pool
    metadata: {name: web, vrf: default, labels: {tier: front}}
    spec: {cidr: 10.0.0.0/24, assignmentMode: MANUAL}

The `spec` is read by `moorage.ctl.specs`, the form of Calico by `moorage.ctl.calico`, and whole
files by `moorage.ctl.inputs`. Only what can be seen without the server is judged here.
"""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from moorage import names
from moorage.ctl import kinds, specs
from moorage.v1 import resources_pb2

API_VERSION = "moorage.dev/v1"

_KEYS = ["apiVersion", "kind", "metadata", "spec", "status"]
_KINDS = {kind.title: kind for kind in kinds.WRITABLE}
_DNS_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


# Strictly, as the server reads them: no netmask, no zone, no leading zero in a length.
_CIDR = re.compile(r"[0-9A-Fa-f:.]+/(0|[1-9][0-9]{0,2})")
_CIDR_OR_ADDRESS = re.compile(r"[0-9A-Fa-f:.]+(/(0|[1-9][0-9]{0,2}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One resource as it should be; its message carries the full name.

    `fields` are those that the manifest speaks of, by name in the proto; the others stay as they
    are. None: all of them. `spellings`: how it writes fields that it calls otherwise. `makes` is
    false for one that only changes a resource which another makes. `withdrawn`: where it comes
    from, it is being deleted. `notes` are for people: what was read and is not done as it stands.
    """

    where: str
    kind: kinds.Kind
    resource: kinds.Resource
    fields: frozenset[str] | None = None
    spellings: Mapping[str, str] = field(default_factory=dict)
    makes: bool = True
    withdrawn: bool = False
    notes: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """How it is spoken of in output: "pool/web"."""
        return kinds.label_of(self.resource)

    def place_of(self, field: str) -> str:
        """Where it says what a request's field has: "spec.blockSize" of "pool.block_size"."""
        _, _, path = field.partition(".")
        if path in ("", "name"):
            return "metadata.vrf" if field == "parent" else "metadata.name"
        if path.startswith("labels"):
            return f"metadata.{path}"
        known = next((each for each in self.spellings if path.startswith(each)), "")
        spelled = self.spellings.get(known, "") + path.removeprefix(known)
        return "spec." + re.sub("_([a-z])", lambda match: match[1].upper(), spelled)


def read(value: object, vrf: str, place: specs.Place) -> Manifest | None:
    """Return what a document says, None where it does not say what kind it is of.

    `vrf` is meant where the document names none. What is wrong is written down in `place`.
    """
    given = specs.mapping(value, _KEYS, place, "a manifest")
    kind = _kind(given.get("kind"), place.child("kind"))
    if kind is None:
        return None
    resource = kinds.blank(kind)
    _read_metadata(resource, kind, given.get("metadata", {}), vrf, place.child("metadata"))
    _read_spec(resource, given.get("spec", {}), place.child("spec"))
    return Manifest(where=place.where, kind=kind, resource=resource)


def write(resource: kinds.Resource) -> dict[str, object]:
    """Return the manifest of a resource; its `status` is for people, and ignored when read."""
    kind = kinds.kind_of(resource)
    metadata: dict[str, object] = {"name": names.id_of(resource.name)}
    if kind.in_vrf:
        metadata["vrf"] = names.vrf_of(resource.name)
    if resource.labels:
        metadata["labels"] = dict(resource.labels)
    manifest: dict[str, object] = {
        "apiVersion": API_VERSION,
        "kind": kind.title,
        "metadata": metadata,
        "spec": specs.spec_of(resource),
        "status": _status(resource),
    }
    return {key: value for key, value in manifest.items() if value}


def dns_name(value: object, place: specs.Place) -> str:
    """Return a name; the server has the last word on how long it may be."""
    if isinstance(value, str) and _DNS_NAME.fullmatch(value):
        return value
    place.refuse('must be lower-case letters, digits, "-" and "."; quote what looks like a number')
    return ""


def labels_of(value: object, place: specs.Place) -> dict[str, str]:
    """Return labels; the server has the last word on how many, and how long."""
    if not isinstance(value, dict):
        place.refuse("must be a mapping of text to text")
        return {}
    labels: dict[str, str] = {}
    for key, text in value.items():
        if specs.is_text(key) and specs.is_text(text):
            labels[key] = text
        else:
            place.child(str(key)).refuse("must be text on both sides; put it in quotes")
    return labels


def network(
    text: str, *, bare: bool, strict: bool = True
) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """Return the range that a text spells, of one address where a `bare` one will do.

    An IPv4-mapped address is the one that it maps. Raises ValueError, if `strict` also for host
    bits.
    """
    found = ipaddress.ip_network(text, strict=strict)
    if not (_CIDR_OR_ADDRESS if bare else _CIDR).fullmatch(text):
        raise ValueError(f"{text!r} needs a plain prefix length, and no zone")
    mapped = getattr(found.network_address, "ipv4_mapped", None)
    if mapped is None:
        return found
    if "/" in text:
        raise ValueError(f"it is IPv4-mapped; write {mapped}/{found.prefixlen - 96}")
    return ipaddress.ip_network(mapped)


def _status(resource: kinds.Resource) -> dict[str, str]:
    status = {} if isinstance(resource, resources_pb2.Node) else {"uid": resource.uid}
    return {
        **status,
        "etag": resource.etag,
        "createTime": resource.create_time.ToJsonString(),
        "updateTime": resource.update_time.ToJsonString(),
    }


def _kind(value: object, place: specs.Place) -> kinds.Kind | None:
    title = value if isinstance(value, str) else ""
    if title not in _KINDS:
        hint = specs.near(title.capitalize(), list(_KINDS))
        place.refuse(f"must be one of {', '.join(_KINDS)}{hint}")
    return _KINDS.get(title)


def _read_metadata(
    resource: kinds.Resource, kind: kinds.Kind, value: object, vrf: str, place: specs.Place
) -> None:
    known = ["name", "vrf", "labels"] if kind.in_vrf else ["name", "labels"]
    metadata = specs.mapping(value, known, place, f"the metadata of a {kind.title}")
    own_id = dns_name(metadata.get("name"), place.child("name"))
    own_vrf = dns_name(metadata.get("vrf", vrf), place.child("vrf"))
    resource.name = kinds.name_of(kind, own_id, own_vrf)
    resource.labels.update(labels_of(metadata.get("labels", {}), place.child("labels")))


def _read_spec(resource: kinds.Resource, value: object, place: specs.Place) -> None:
    if not specs.fill(resource, value, place):
        return
    match resource:
        case resources_pb2.Pool():
            _check_range(resource.cidr, place.child("cidr"), bare=False)
        case resources_pb2.Reservation():
            _check_ranges(resource.cidrs, place.child("cidrs"))
        case resources_pb2.Vrf():
            for at, grant in enumerate(resource.fixed_address_grants):
                each = place.child("fixedAddressGrants").item(at)
                _check_ranges(grant.cidrs, each.child("cidrs"))


def _check_ranges(cidrs: Sequence[str], place: specs.Place) -> None:
    for index, cidr in enumerate(cidrs or [""]):
        _check_range(cidr, place.item(index), bare=True)


def _check_range(text: str, place: specs.Place, *, bare: bool) -> None:
    try:
        network(text, bare=bare)
    except ValueError as error:
        place.refuse(f"must be a CIDR such as 10.0.0.0/24: {error}")
