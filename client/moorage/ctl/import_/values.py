"""Values of what another IPAM wrote: what is wrong is written down, and reading goes on."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence

from moorage.ctl import manifests, specs
from moorage.ctl.import_ import estate
from moorage.v1 import resources_pb2

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_LONGEST_ID = 128
_CNI_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_LONGEST_INTERFACE = 15
_UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)


def is_id(value: str) -> bool:
    """Whether a text can be the name of a network, or the id of a container."""
    return len(value) <= _LONGEST_ID and _CNI_NAME.fullmatch(value) is not None


def identifier(value: object, place: specs.Place) -> str:
    """Return the name of a network, or the id of a container."""
    found = text(value, place)
    if found and not is_id(found):
        place.refuse(f"must be at most {_LONGEST_ID} letters, digits, '_', '.' and '-'")
    return found


def interface(value: object, place: specs.Place) -> str:
    """Return the name of an interface; empty where there is none."""
    found = text(value, place)
    if len(found.encode()) > _LONGEST_INTERFACE or re.search(r"[/:\s]", found):
        place.refuse(f"must be the name of an interface, not {specs.shown(found)}")
    return found


def printable(value: str, longest: int) -> str:
    """Return a text as the server takes it: cut short, and without what steers a terminal."""
    return _UNPRINTABLE.sub(" ", value)[:longest]


def mapping(value: object, place: specs.Place) -> Mapping[str, object]:
    """Return a mapping; an empty one where it is none."""
    if isinstance(value, dict):
        return value
    place.refuse("must be a mapping")
    return {}


def items(value: object, place: specs.Place) -> Sequence[object]:
    """Return a list; an empty one where there is none."""
    if value is None or isinstance(value, list):
        return value or []
    place.refuse("must be a list")
    return []


def text(value: object, place: specs.Place) -> str:
    """Return a text, empty if it is absent; a structure is none, and may be without end."""
    if value is None or isinstance(value, int | float):
        return "" if value is None else str(value)
    if specs.is_text(value):
        return value
    place.refuse(f"must be text, not {specs.shown(value)}")
    return ""


def network(value: object, place: specs.Place) -> estate.Network | None:
    """Return a range without host bits."""
    try:
        return manifests.network(text(value, place), bare=False)
    except ValueError as error:
        place.refuse(f"must be a CIDR: {error}")
        return None


def address(value: object, place: specs.Place) -> Address | None:
    """Return one address."""
    try:
        return manifests.network(text(value, place), bare=True)[0]
    except ValueError as error:
        place.refuse(f"must be an address: {error}")
        return None


def routes(value: object, place: specs.Place) -> list[resources_pb2.Route]:
    """Return the routes of a CNI configuration."""
    found = []
    for at, each in enumerate(items(value, place)):
        given = mapping(each, place.item(at))
        destination = network(given.get("dst"), place.item(at).child("dst"))
        next_hop = given.get("gw")
        gateway = address(next_hop, place.item(at).child("gw")) if next_hop else ""
        found.append(resources_pb2.Route(destination=str(destination), gateway=str(gateway)))
    return found
