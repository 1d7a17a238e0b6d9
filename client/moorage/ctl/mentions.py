"""What manifests are about, of Moorage and of Calico: kind and name, and nothing else of them.

That is all that `delete` has to know, so that a manifest without a spec will do, or with a wrong
one. Whole manifests are read by `moorage.ctl.inputs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from moorage import names
from moorage.ctl import calico, calico_configuration, documents, exits, kinds, manifests, specs

_OWN = {kind.title: kind for kind in kinds.WRITABLE}
_CALICO = {kind.value: kind for kind in calico.Kind}
_CRD = _CALICO | {"IPAMConfig": calico.Kind.IPAM_CONFIGURATION}
_KINDS: dict[str, dict[str, kinds.Kind] | dict[str, calico.Kind]] = {
    manifests.API_VERSION: _OWN,
    calico.V3: _CALICO,
    calico.CRD: _CRD,
}
_ORDER = list(kinds.Kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """A resource that a manifest is about: its full name, or only the configuration of a VRF."""

    kind: kinds.Kind
    name: str
    configuration_only: bool = False


def configuration(vrf: str) -> Mention:
    """Return what an IPAMConfiguration is about."""
    return Mention(kind=kinds.Kind.VRF, name=names.vrf(vrf), configuration_only=True)


def read(sources: Sequence[str], vrf: str) -> list[Mention]:
    """Return what files, directories and "-" are about, each once, in the order of `apply`.

    `vrf` is meant where a manifest names none. Raises exits.Failed with everything that is wrong.
    """
    sheet = specs.Place(where="")
    found = [_mention(each, vrf, sheet) for each in documents.read(sources)]
    if sheet.problems:
        raise exits.refused("the manifests do not name what to delete", sheet.problems)
    once = dict.fromkeys(each for each in found if each is not None)
    return sorted(once, key=lambda each: (_ORDER.index(each.kind), each.configuration_only))


def _mention(document: documents.Document, vrf: str, sheet: specs.Place) -> Mention | None:
    place = specs.Place(where=document.where, problems=sheet.problems)
    given = _mapping(document.value, place)
    inside = place.child("metadata")
    metadata = _mapping(given.get("metadata", {}), inside)
    kind = _kind(given, place)
    if kind is calico.Kind.IPAM_CONFIGURATION:
        _refuse_other_name(metadata, inside.child("name"))
        return configuration(vrf)
    if isinstance(kind, calico.Kind):
        return _named(kind.counterpart, metadata, vrf, inside)
    return _named(kind, metadata, metadata.get("vrf", vrf), inside) if kind else None


def _refuse_other_name(metadata: dict[str, object], place: specs.Place) -> None:
    if metadata.get("name") != calico_configuration.NAME:
        place.refuse(f"must be {calico_configuration.NAME}: there is no other one")


def _named(
    kind: kinds.Kind, metadata: dict[str, object], vrf: object, place: specs.Place
) -> Mention:
    own_id = manifests.dns_name(metadata.get("name"), place.child("name"))
    own_vrf = manifests.dns_name(vrf, place.child("vrf"))
    return Mention(kind=kind, name=kinds.name_of(kind, own_id, own_vrf))


def _mapping(value: object, place: specs.Place) -> dict[str, object]:
    if isinstance(value, dict):
        return value
    place.refuse("must be a mapping")
    return {}


def _kind(given: dict[str, object], place: specs.Place) -> kinds.Kind | calico.Kind | None:
    version, title = given.get("apiVersion"), given.get("kind")
    known = _KINDS.get(version) if isinstance(version, str) else None
    if known is None:
        place.child("apiVersion").refuse(f"must be {' or '.join(_KINDS)}")
        return None
    kind = known.get(title) if isinstance(title, str) else None
    if kind is None:
        hint = specs.near(title, list(known))
        place.child("kind").refuse(f"must be one of {', '.join(known)}{hint}")
    return kind
