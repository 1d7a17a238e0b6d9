"""Resource names: "vrfs/{vrf}", "vrfs/{vrf}/pools/{pool}" and the like, both ways."""

import re

from moorage_server.api import limits
from moorage_server.api.violations import Violations, shown
from moorage_server.domain import addresses, model

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")

POOLS = "pools"
RESERVATIONS = "reservations"
NODES = "nodes"
ALLOCATIONS = "allocations"
STICKY_ADDRESSES = "stickyAddresses"


def vrf_name(vrf: str) -> str:
    """The resource name of a VRF."""
    return f"vrfs/{vrf}"


def child_name(vrf: str, collection: str, child: str) -> str:
    """The resource name of something inside a VRF."""
    return f"vrfs/{vrf}/{collection}/{child}"


def vrf_id(found: Violations, field: str, value: str) -> str:
    """The id of a VRF, checked."""
    found.text(field, value, limits.VRF_LENGTH, required=True)
    expected = "a DNS-1123 label: lower-case letters, digits and -"
    return found.matching(field, value, _LABEL, expected)


def child_id(found: Violations, field: str, value: str) -> str:
    """The id of a pool, reservation or node, checked."""
    found.text(field, value, limits.NAME_LENGTH, required=True)
    expected = "a DNS-1123 subdomain: lower-case letters, digits, - and ."
    return found.matching(field, value, _SUBDOMAIN, expected)


def parent(found: Violations, value: str, field: str = "parent") -> str:
    """The VRF that "vrfs/{vrf}" names; the default one where absent."""
    if not value:
        return model.DEFAULT_VRF
    collection, _, vrf = value.partition("/")
    if collection != "vrfs" or not vrf or "/" in vrf:
        found.add(field, f'{shown(value)} is not a VRF; write "vrfs/{{vrf}}"')
        return model.DEFAULT_VRF
    return vrf_id(found, field, vrf)


def child(found: Violations, value: str, collection: str, field: str = "name") -> tuple[str, str]:
    """The VRF and the id that "vrfs/{vrf}/{collection}/{id}" names; the id unchecked."""
    parts = value.split("/", 3)
    if len(parts) != 4 or not all(parts) or (parts[0], parts[2]) != ("vrfs", collection):
        found.add(field, f'{shown(value)} is not "vrfs/{{vrf}}/{collection}/{{id}}"')
        return model.DEFAULT_VRF, ""
    return vrf_id(found, field, parts[1]), parts[3]


def allocation(found: Violations, value: str) -> tuple[str, addresses.Address | None]:
    """The VRF and the address of "vrfs/{vrf}/allocations/{address}"."""
    return _address(found, value, ALLOCATIONS)


def sticky_address(found: Violations, value: str) -> tuple[str, addresses.Address | None]:
    """The VRF and the address of "vrfs/{vrf}/stickyAddresses/{address}"."""
    return _address(found, value, STICKY_ADDRESSES)


def _address(
    found: Violations, value: str, collection: str
) -> tuple[str, addresses.Address | None]:
    vrf, text = child(found, value, collection)
    return vrf, found.parsed("name", text, addresses.parse_address) if text else None
