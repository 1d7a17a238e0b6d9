"""The kinds of resources, and the calls that each kind is read and written by.

How a kind is written in YAML is said in `moorage.ctl.manifests`, how it is printed in
`moorage.ctl.columns`.
"""

from __future__ import annotations

import difflib
import enum
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias, TypeVar

import click

import moorage
from moorage import names
from moorage.v1 import resources_pb2

Resource: TypeAlias = (
    resources_pb2.Vrf | resources_pb2.Node | resources_pb2.Pool | resources_pb2.Reservation
)


class Kind(enum.Enum):
    """What a command can speak of, in the order in which manifests are applied."""

    VRF = "vrf"
    NODE = "node"
    POOL = "pool"
    RESERVATION = "reservation"
    ALLOCATION = "allocation"

    @property
    def plural(self) -> str:
        """As in `moorctl get pools`."""
        return f"{self.value}s"

    @property
    def title(self) -> str:
        """As in `kind: Pool`."""
        return self.value.capitalize()

    @property
    def in_vrf(self) -> bool:
        """Whether it lives in a VRF."""
        return self is not Kind.VRF


WRITABLE = (Kind.VRF, Kind.NODE, Kind.POOL, Kind.RESERVATION)


_T = TypeVar("_T")


class Choice(click.ParamType[_T]):
    """A word on the command line that stands for something, in any case; `listed` are in help."""

    name = "kind"

    def __init__(self, known: Mapping[str, _T], listed: Sequence[str]) -> None:
        self._known = known
        self._listed = ", ".join(listed)

    def convert(
        self, value: str | _T, param: click.Parameter | None, ctx: click.Context | None
    ) -> _T:
        """Return what `value` stands for."""
        if not isinstance(value, str):
            return value
        word = value.lower()
        if word not in self._known:
            near = difflib.get_close_matches(word, self._known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            self.fail(f"{value!r} is none of: {self._listed}{hint}", param, ctx)
        return self._known[word]


def spellings(kinds: Sequence[Kind]) -> dict[str, Kind]:
    """Return what kinds are called on the command line, singular and plural."""
    return {text: kind for kind in kinds for text in (kind.plural, kind.value)}


def name_of(kind: Kind, own_id: str, vrf: str) -> str:
    """Return the full name of a resource, given its id and the id of its VRF."""
    return f"{names.vrf(vrf)}/{kind.plural}/{own_id}" if kind.in_vrf else names.vrf(own_id)


def blank(kind: Kind) -> Resource:
    """Return an empty resource of a kind."""
    match kind:
        case Kind.VRF:
            return resources_pb2.Vrf()
        case Kind.NODE:
            return resources_pb2.Node()
        case Kind.POOL:
            return resources_pb2.Pool()
        case _:
            return resources_pb2.Reservation()


def kind_of(resource: Resource | resources_pb2.Allocation) -> Kind:
    """Return the kind of a resource."""
    return Kind(type(resource).__name__.lower())


def label_of(resource: Resource | resources_pb2.Allocation) -> str:
    """Return how a resource is spoken of in output: "pool/web"."""
    return f"{kind_of(resource).value}/{names.id_of(resource.name)}"


def fetch(client: moorage.Client, kind: Kind, name: str, vrf: str) -> Resource:
    """Return one resource, by id or name; raises NotFound."""
    match kind:
        case Kind.VRF:
            return client.get_vrf(name)
        case Kind.NODE:
            return client.get_node(name, vrf=vrf)
        case Kind.POOL:
            return client.get_pool(name, vrf=vrf)
        case _:
            return client.get_reservation(name, vrf=vrf)


def listing(
    client: moorage.Client, kind: Kind, labels: Mapping[str, str], vrf: str
) -> Iterator[Resource]:
    """Return the resources of a kind that carry these labels."""
    match kind:
        case Kind.VRF:
            return client.vrfs(labels=labels)
        case Kind.NODE:
            return client.nodes(labels=labels, vrf=vrf)
        case Kind.POOL:
            return client.pools(labels=labels, vrf=vrf)
        case _:
            return client.reservations(labels=labels, vrf=vrf)


def create(client: moorage.Client, resource: Resource, *, validate_only: bool = False) -> Resource:
    """Create a resource of the id and in the VRF that its name says, or ask whether it could be."""
    own_id, vrf = names.id_of(resource.name), names.vrf_of(resource.name)
    match resource:
        case resources_pb2.Vrf():
            return client.create_vrf(own_id, resource, validate_only=validate_only)
        case resources_pb2.Node():
            return client.upsert_node(resource, validate_only=validate_only)
        case resources_pb2.Pool():
            return client.create_pool(own_id, resource, vrf=vrf, validate_only=validate_only)
        case resources_pb2.Reservation():
            return client.create_reservation(own_id, resource, vrf=vrf, validate_only=validate_only)


def update(
    client: moorage.Client,
    resource: Resource,
    paths: Sequence[str],
    *,
    validate_only: bool = False,
) -> Resource:
    """Change these fields of a resource, or ask whether they could be changed."""
    match resource:
        case resources_pb2.Vrf():
            return client.update_vrf(resource, update_mask=paths, validate_only=validate_only)
        case resources_pb2.Node():
            return client.upsert_node(resource, validate_only=validate_only)
        case resources_pb2.Pool():
            return client.update_pool(resource, update_mask=paths, validate_only=validate_only)
        case resources_pb2.Reservation():
            return client.update_reservation(
                resource, update_mask=paths, validate_only=validate_only
            )


def delete(client: moorage.Client, kind: Kind, name: str, *, validate_only: bool = False) -> None:
    """Delete a resource, by its name, or ask whether it could be; raises NotFound."""
    match kind:
        case Kind.VRF:
            client.delete_vrf(name, validate_only=validate_only)
        case Kind.NODE:
            client.delete_node(name, validate_only=validate_only)
        case Kind.POOL:
            client.delete_pool(name, validate_only=validate_only)
        case _:
            client.delete_reservation(name, validate_only=validate_only)
