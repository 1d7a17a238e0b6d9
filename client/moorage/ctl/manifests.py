"""Manifests: what is written in YAML about one resource, read and written.

    apiVersion: moorage.dev/v1
    kind: Pool
    metadata: {name: web, vrf: default, labels: {tier: front}}
    spec: {cidr: 10.0.0.0/24, assignmentMode: MANUAL}

The `spec` is read by `moorage.ctl.specs`. Only what can be seen without the server is judged here.
"""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass

from moorage import names
from moorage.ctl import documents, exits, kinds, specs
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
    """One resource as it should be; its message carries the full name."""

    where: str
    kind: kinds.Kind
    resource: kinds.Resource

    @property
    def label(self) -> str:
        """How it is spoken of in output: "pool/web"."""
        return kinds.label_of(self.resource)


def read(sources: Sequence[str], vrf: str) -> list[Manifest]:
    """Return the manifests of files, directories and "-", in the order in which to apply them.

    `vrf` is meant where a manifest names none. Raises exits.Failed with everything that is wrong.
    """
    sheet = specs.Place(where="")
    found = [_manifest(document, vrf, sheet) for document in documents.read(sources)]
    manifests = [manifest for manifest in found if manifest is not None]
    _refuse_repetition(manifests, sheet)
    if sheet.problems:
        count = len(sheet.problems)
        summary = f"{count} problem{'s' if count > 1 else ''} in the manifests; nothing was changed"
        raise exits.refused(summary, sheet.problems)
    order = list(kinds.Kind)
    return sorted(manifests, key=lambda manifest: order.index(manifest.kind))


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


def _status(resource: kinds.Resource) -> dict[str, str]:
    status = {} if isinstance(resource, resources_pb2.Node) else {"uid": resource.uid}
    return {
        **status,
        "etag": resource.etag,
        "createTime": resource.create_time.ToJsonString(),
        "updateTime": resource.update_time.ToJsonString(),
    }


def _manifest(document: documents.Document, vrf: str, sheet: specs.Place) -> Manifest | None:
    place = specs.Place(where=document.where, problems=sheet.problems)
    value = specs.mapping(document.value, _KEYS, place, "a manifest")
    if value.get("apiVersion") != API_VERSION:
        place.child("apiVersion").refuse(f"must be {API_VERSION}")
    kind = _kind(value.get("kind"), place.child("kind"))
    if kind is None:
        return None
    resource = kinds.blank(kind)
    _read_metadata(resource, kind, value.get("metadata", {}), vrf, place.child("metadata"))
    _read_spec(resource, value.get("spec", {}), place.child("spec"))
    return Manifest(where=document.where, kind=kind, resource=resource)


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
    own_id = _dns_name(metadata.get("name"), place.child("name"))
    own_vrf = _dns_name(metadata.get("vrf", vrf), place.child("vrf"))
    resource.name = kinds.name_of(kind, own_id, own_vrf)
    resource.labels.update(_labels(metadata.get("labels", {}), place.child("labels")))


def _dns_name(value: object, place: specs.Place) -> str:
    """Return a name; the server has the last word on how long it may be."""
    if isinstance(value, str) and _DNS_NAME.fullmatch(value):
        return value
    place.refuse('must be lower-case letters, digits, "-" and "."; quote what looks like a number')
    return ""


def _labels(value: object, place: specs.Place) -> dict[str, str]:
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


def _read_spec(resource: kinds.Resource, value: object, place: specs.Place) -> None:
    if not specs.fill(resource, value, place):
        return
    match resource:
        case resources_pb2.Pool():
            _check_range(resource.cidr, place.child("cidr"), _CIDR)
        case resources_pb2.Reservation():
            for index, cidr in enumerate(resource.cidrs or [""]):
                _check_range(cidr, place.child("cidrs").item(index), _CIDR_OR_ADDRESS)


def _check_range(text: str, place: specs.Place, spelling: re.Pattern[str]) -> None:
    try:
        ipaddress.ip_network(text)
        if not spelling.fullmatch(text):
            raise ValueError(f"{text!r} needs a plain prefix length, and no zone")
    except ValueError as error:
        place.refuse(f"must be a CIDR such as 10.0.0.0/24: {error}")


def _refuse_repetition(manifests: Sequence[Manifest], sheet: specs.Place) -> None:
    first: dict[str, Manifest] = {}
    for manifest in manifests:
        known = first.setdefault(manifest.resource.name, manifest)
        if known is not manifest:
            place = specs.Place(where=manifest.where, problems=sheet.problems)
            place.refuse(f"{manifest.label} stands already in {known.where}")
