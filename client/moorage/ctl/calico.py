"""Reads the manifests of Calico: IPPool, IPReservation and IPAMConfiguration.

    apiVersion: projectcalico.org/v3
    kind: IPPool
    metadata: {name: web}
    spec: {cidr: 10.0.0.0/24, natOutgoing: true}

They are what `calicoctl get` and `kubectl get` print, read as they stand. What such a manifest does
not know of, such as the gateway of a pool, it leaves alone. An IPAMConfiguration is the
configuration of a VRF."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping

from moorage import names
from moorage.ctl import (
    calico_configuration,
    calico_metadata,
    calico_pools,
    calico_values,
    kinds,
    manifests,
    specs,
)
from moorage.v1 import resources_pb2

V3 = "projectcalico.org/v3"
CRD = "crd.projectcalico.org/v1"
API_VERSIONS = (V3, CRD)

_KEYS = ["apiVersion", "kind", "metadata", "spec", "status"]
_RESERVATION_FIELDS = frozenset({"cidrs", "labels"})
_RESERVATION_SPEC: calico_values.Fields = {"reservedCIDRs": list}


class Kind(enum.Enum):
    """The kinds of Calico that have a counterpart here, titled as in `kind: IPPool`."""

    IP_POOL = "IPPool"
    IP_RESERVATION = "IPReservation"
    IPAM_CONFIGURATION = "IPAMConfiguration"

    @property
    def counterpart(self) -> kinds.Kind:
        """What it is here; of a VRF, only the configuration."""
        match self:
            case Kind.IP_POOL:
                return kinds.Kind.POOL
            case Kind.IP_RESERVATION:
                return kinds.Kind.RESERVATION
            case Kind.IPAM_CONFIGURATION:
                return kinds.Kind.VRF

    @property
    def spellings(self) -> Mapping[str, str]:
        """What it calls fields of the counterpart otherwise than that does, by their path."""
        match self:
            case Kind.IP_POOL:
                return {}
            case Kind.IP_RESERVATION:
                return {"cidrs": "reservedCIDRs"}
            case Kind.IPAM_CONFIGURATION:
                return calico_configuration.SPELLINGS

    @property
    def fields(self) -> frozenset[str]:
        """Which fields of the counterpart it speaks of, by name in the proto."""
        match self:
            case Kind.IP_POOL:
                return calico_pools.FIELDS
            case Kind.IP_RESERVATION:
                return _RESERVATION_FIELDS
            case Kind.IPAM_CONFIGURATION:
                return calico_configuration.FIELDS


# As in `moorctl get ippools`; calicoctl knows the short ones as well.
NAMES = {
    "ippool": Kind.IP_POOL,
    "ippools": Kind.IP_POOL,
    "ipp": Kind.IP_POOL,
    "ipps": Kind.IP_POOL,
    "ipreservation": Kind.IP_RESERVATION,
    "ipreservations": Kind.IP_RESERVATION,
    "ipamconfiguration": Kind.IPAM_CONFIGURATION,
    "ipamconfigurations": Kind.IPAM_CONFIGURATION,
    "ipamconfig": Kind.IPAM_CONFIGURATION,
    "ipamconfigs": Kind.IPAM_CONFIGURATION,
}

_V3_KINDS = {kind.value: kind for kind in Kind}
_KINDS = {V3: _V3_KINDS, CRD: _V3_KINDS | {"IPAMConfig": Kind.IPAM_CONFIGURATION}}


def read(value: object, vrf: str, place: specs.Place) -> manifests.Manifest | None:
    """Return what a Calico manifest asks for in a VRF, None where its kind has no counterpart.

    `value` is one document, not a list. What is wrong is written down in `place`; the manifest is
    good only if nothing was.
    """
    given = specs.mapping(value, _KEYS, place, "a manifest")
    kind = _kind(given, place)
    if kind is None:
        return None
    manifest = _manifest(kind, given.get("spec", {}), place)
    _name(manifest.resource, given.get("metadata", {}), vrf, place.child("metadata"))
    withdrawn = kind is Kind.IP_POOL and calico_metadata.is_terminating(given)
    return dataclasses.replace(manifest, withdrawn=withdrawn)


def _kind(given: dict[str, object], place: specs.Place) -> Kind | None:
    version, title = given.get("apiVersion"), given.get("kind")
    if version not in API_VERSIONS:
        place.child("apiVersion").refuse(f"must be {' or '.join(API_VERSIONS)}")
    known = _KINDS.get(version, _V3_KINDS) if isinstance(version, str) else _V3_KINDS
    if isinstance(title, str) and title in known:
        return known[title]
    hint = specs.near(title, list(known))
    place.child("kind").refuse(f"must be one of {', '.join(known)}{hint}")
    return None


def _manifest(kind: Kind, spec: object, place: specs.Place) -> manifests.Manifest:
    """Return a manifest whose resource has no name yet."""
    resource: kinds.Resource
    inside = place.child("spec")
    match kind:
        case Kind.IP_POOL:
            resource, notes = calico_pools.read(spec, inside)
        case Kind.IP_RESERVATION:
            resource, notes = _reservation(spec, inside), ()
        case Kind.IPAM_CONFIGURATION:
            configuration, notes = calico_configuration.read(spec, inside)
            resource = resources_pb2.Vrf(configuration=configuration)
    return manifests.Manifest(
        where=place.where,
        kind=kind.counterpart,
        resource=resource,
        fields=kind.fields,
        spellings=kind.spellings,
        # A VRF is made by a manifest of its own.
        makes=kind is not Kind.IPAM_CONFIGURATION,
        notes=notes,
    )


def _reservation(spec: object, place: specs.Place) -> resources_pb2.Reservation:
    given = calico_values.typed(spec, _RESERVATION_SPEC, place, "an IPReservation")
    ranges = place.child("reservedCIDRs")
    found = [
        _reserved_cidr(text, ranges.item(index))
        for index, text in enumerate(given.items("reservedCIDRs"))
    ]
    if not found:
        ranges.refuse("must have a CIDR or an address; an IPReservation without one hides nothing")
    return resources_pb2.Reservation(cidrs=found)


def _reserved_cidr(text: object, place: specs.Place) -> str:
    """Return a range; Calico takes one with host bits for the range that they lie in."""
    try:
        spelled = text if specs.is_text(text) else specs.shown(text)
        return str(manifests.network(spelled, bare=True, strict=False))
    except ValueError as error:
        place.refuse(f"must be a CIDR or an address, such as 10.0.0.0/24: {error}")
        return ""


def _name(resource: kinds.Resource, value: object, vrf: str, place: specs.Place) -> None:
    """Set the name and the labels of a resource; a VRF keeps the labels that it has."""
    metadata = calico_metadata.read(value, place)
    own_vrf = manifests.dns_name(vrf, place.child("vrf"))
    labels = calico_metadata.labels(metadata, place)
    if isinstance(resource, resources_pb2.Vrf):
        _refuse_other_name(metadata, place.child("name"))
        resource.name = names.vrf(own_vrf)
        return
    own_id = manifests.dns_name(metadata.get("name"), place.child("name"))
    resource.name = kinds.name_of(kinds.kind_of(resource), own_id, own_vrf)
    resource.labels.update(labels)


def _refuse_other_name(metadata: dict[str, object], place: specs.Place) -> None:
    if metadata.get("name") != calico_configuration.NAME:
        place.refuse(
            "Cannot create an IPAMConfiguration resource with a name other than "
            f'"{calico_configuration.NAME}"'
        )
