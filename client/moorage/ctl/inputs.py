"""Reads files of manifests: those of Moorage and those of Calico, side by side.

What one document means is the matter of `moorage.ctl.manifests` and `moorage.ctl.calico`.
"""

import dataclasses
from collections.abc import Iterator, Sequence

from moorage.ctl import calico, calico_configuration, documents, exits, kinds, manifests, specs

_ORDER = list(kinds.Kind)
_READERS = {
    manifests.API_VERSION: manifests.read,
    **dict.fromkeys(calico.API_VERSIONS, calico.read),
}


def read(sources: Sequence[str], vrf: str) -> list[manifests.Manifest]:
    """Return the manifests of files, directories and "-", in the order in which to apply them.

    `vrf` is meant where a manifest names none. Raises exits.Failed with everything that is wrong.
    """
    sheet = specs.Place(where="")
    read_one = (_manifest(document, vrf, sheet) for document in documents.read(sources))
    found = list(_apart([manifest for manifest in read_one if manifest is not None]))
    _refuse_repetition(found, sheet)
    _refuse_withdrawn(found, sheet)
    if sheet.problems:
        count = len(sheet.problems)
        summary = f"{count} problem{'s' if count > 1 else ''} in the manifests; nothing was changed"
        raise exits.refused(summary, sheet.problems)
    return sorted(found, key=_turn)


def _manifest(
    document: documents.Document, vrf: str, sheet: specs.Place
) -> manifests.Manifest | None:
    place = specs.Place(where=document.where, problems=sheet.problems)
    value = document.value
    version = value.get("apiVersion") if isinstance(value, dict) else manifests.API_VERSION
    reader = _READERS.get(version) if isinstance(version, str) else None
    if reader is None:
        place.child("apiVersion").refuse(f"must be {' or '.join(_READERS)}")
        reader = manifests.read
    return reader(value, vrf, place)


def _apart(found: Sequence[manifests.Manifest]) -> Iterator[manifests.Manifest]:
    """Yield the manifests, none of which speaks of what is left to a manifest of its own.

    A Vrf that says nothing of its configuration would reset what an IPAMConfiguration beside it
    has set.
    """
    configured = {
        each.resource.name for each in found if each.fields == calico_configuration.FIELDS
    }
    for manifest in found:
        vrf = manifest.resource
        if manifest.fields is None and vrf.name in configured and not _configures(vrf):
            fields = {field.name for field in vrf.DESCRIPTOR.fields} - calico_configuration.FIELDS
            yield dataclasses.replace(manifest, fields=frozenset(fields))
        else:
            yield manifest


def _configures(vrf: kinds.Resource) -> bool:
    return any(field.name in calico_configuration.FIELDS for field, _ in vrf.ListFields())


def _refuse_repetition(found: Sequence[manifests.Manifest], sheet: specs.Place) -> None:
    """Refuse that two manifests speak of the same fields of one resource."""
    first: dict[tuple[str, str], manifests.Manifest] = {}
    for manifest in found:
        known = [first.setdefault(key, manifest) for key in _keys(manifest)]
        earlier = next((each for each in known if each is not manifest), None)
        if earlier is not None:
            place = specs.Place(where=manifest.where, problems=sheet.problems)
            place.refuse(f"{manifest.label} stands already in {earlier.where}")


def _refuse_withdrawn(found: Sequence[manifests.Manifest], sheet: specs.Place) -> None:
    """Refuse what would come back into service by being applied."""
    for manifest in found:
        if manifest.withdrawn:
            place = specs.Place(where=manifest.where, problems=sheet.problems)
            place.refuse(
                f"{manifest.label} is being deleted in Calico and would be in service again; leave "
                "it out, or remove deletionTimestamp and status, apply it, and drain it"
            )


def _keys(manifest: manifests.Manifest) -> Iterator[tuple[str, str]]:
    fields = manifest.fields or {field.name for field in manifest.resource.DESCRIPTOR.fields}
    return ((manifest.resource.name, field) for field in fields)


def _turn(manifest: manifests.Manifest) -> tuple[int, bool]:
    """Return the place in the order: a VRF comes before its configuration, both before the rest."""
    return _ORDER.index(manifest.kind), not manifest.makes
