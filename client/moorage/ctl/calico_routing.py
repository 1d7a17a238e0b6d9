"""The fields of an IPPool that concern routing: checked as Calico checks them, and left to it.

They decide how packets travel, never which address is assigned, and have no place in a Pool.
"""

from __future__ import annotations

from collections.abc import Iterator

from moorage.ctl import calico_values, specs
from moorage.v1 import resources_pb2

FIELDS: calico_values.Fields = {
    "ipipMode": str,
    "vxlanMode": str,
    "natOutgoing": bool,
    "disableBGPExport": bool,
    # As the first API of Calico had them.
    "ipip": dict,
    "nat-outgoing": bool,
}

# What each word says: whether packets are encapsulated.
_MODES = {"Never": False, "Always": True, "CrossSubnet": True}
_FIRST_FIELDS: calico_values.Fields = {"enabled": bool, "mode": str}
_FIRST_MODES = {"always": True, "cross-subnet": True}


def check(
    given: calico_values.Values, pool: resources_pb2.Pool, place: specs.Place
) -> tuple[str, ...]:
    """Refuse what Calico would; return what is to be said of the fields that change nothing."""
    ipip = _ipip(given, place)
    vxlan = _encapsulates(given, "vxlanMode", place)
    if ipip and vxlan:
        place.child("vxlanMode").refuse("cannot enable both VXLAN and IPIP on the same IPPool")
    if ipip and ":" in pool.cidr:
        place.child("ipipMode").refuse("IPIP is not supported on an IPv6 IP pool; use vxlanMode")
    if resources_pb2.USE_LOAD_BALANCER in pool.allowed_uses:
        _check_load_balancer(given, place, encapsulates=bool(ipip or vxlan))
    used = ", ".join(_used(given))
    return (f"routing is left to the network plugin: {used}",) if used else ()


def _ipip(given: calico_values.Values, place: specs.Place) -> bool:
    first = place.child("ipip")
    values = calico_values.typed(given.given.get("ipip", {}), _FIRST_FIELDS, first, "ipip")
    if values.text("mode"):
        calico_values.choice(values.text("mode"), _FIRST_MODES, first.child("mode"))
    return _encapsulates(given, "ipipMode", place) or values.flag("enabled")


def _encapsulates(given: calico_values.Values, name: str, place: specs.Place) -> bool:
    # Empty is as good as absent.
    word = given.text(name) or "Never"
    return calico_values.choice(word, _MODES, place.child(name)) or False


def _check_load_balancer(
    given: calico_values.Values, place: specs.Place, *, encapsulates: bool
) -> None:
    if encapsulates:
        place.refuse("a pool for LoadBalancer has neither IPIP nor VXLAN; leave its modes at Never")
    if given.flag("disableBGPExport"):
        place.child("disableBGPExport").refuse("must be false for a pool for LoadBalancer")


def _used(given: calico_values.Values) -> Iterator[str]:
    """Yield the fields that ask for something but the default."""
    for name in FIELDS:
        value = given.given.get(name)
        if value and value != "Never":
            yield name
