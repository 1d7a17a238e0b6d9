"""IPPools of Calico: read as pools, with what Calico has no word for left out."""

from __future__ import annotations

import ipaddress

from moorage.ctl import calico_routing, calico_values, manifests, specs
from moorage.v1 import resources_pb2

# Which fields of a pool an IPPool speaks of, by name in the proto.
FIELDS = frozenset(
    {
        "cidr",
        "block_size",
        "node_selector",
        "namespace_selector",
        "allowed_uses",
        "assignment_mode",
        "disabled",
        "labels",
    }
)

USES = {
    "Workload": resources_pb2.USE_WORKLOAD,
    "Tunnel": resources_pb2.USE_TUNNEL,
    "LoadBalancer": resources_pb2.USE_LOAD_BALANCER,
}
MODES = {
    "Automatic": resources_pb2.ASSIGNMENT_MODE_AUTOMATIC,
    "Manual": resources_pb2.ASSIGNMENT_MODE_MANUAL,
}

# By the version of the address: the smallest and the largest block size.
BLOCK_SIZES = {4: (20, 32), 6: (116, 128)}
_DEFAULT_BLOCK_SIZE = {4: 26, 6: 122}

_SPEC: calico_values.Fields = {
    "cidr": str,
    "blockSize": int,
    "nodeSelector": str,
    "namespaceSelector": str,
    "allowedUses": list,
    "assignmentMode": str,
    "disabled": bool,
    **calico_routing.FIELDS,
}


def read(spec: object, place: specs.Place) -> tuple[resources_pb2.Pool, tuple[str, ...]]:
    """Return the pool that a spec describes, without a name, and what is to be said of it."""
    given = calico_values.typed(spec, _SPEC, place, "an IPPool")
    pool = resources_pb2.Pool(
        cidr=_cidr(given, place.child("cidr")),
        block_size=given.number("blockSize"),
        node_selector=given.text("nodeSelector"),
        namespace_selector=given.text("namespaceSelector"),
        allowed_uses=_uses(given, place.child("allowedUses")),
        assignment_mode=_mode(given, place.child("assignmentMode")),
        disabled=given.flag("disabled"),
    )
    _refuse_load_balancer_mixture(pool, place)
    return pool, (*_fit(pool), *calico_routing.check(given, pool, place))


def block_size_of(pool: resources_pb2.Pool) -> int:
    """Return the block size that the server gives a pool of a good range."""
    cidr = ipaddress.ip_network(pool.cidr)
    return pool.block_size or max(_DEFAULT_BLOCK_SIZE[cidr.version], cidr.prefixlen)


def _cidr(given: calico_values.Values, place: specs.Place) -> str:
    """Return the canonical spelling of a range; Calico's words where it is none."""
    text = given.text("cidr")
    if not text:
        place.refuse("IPPool CIDR must be specified")
        return ""
    try:
        network = manifests.network(text, bare=False, strict=False)
    except ValueError as error:
        place.refuse(f"IPPool CIDR must be a valid subnet, such as 10.0.0.0/24: {error}")
        return ""
    if network.network_address != ipaddress.ip_address(text.partition("/")[0]):
        place.refuse(f"IPPool CIDR is not strictly masked: {text} lies in {network}")
    return str(network)


def _fit(pool: resources_pb2.Pool) -> tuple[str, ...]:
    """Make a disabled pool that is smaller than its block one block; return what is said of it.

    Calico lets such a pool be, for as long as it is disabled.
    """
    if not pool.disabled or not pool.cidr:
        return ()
    cidr, asked = ipaddress.ip_network(pool.cidr), pool.block_size
    smallest, _ = BLOCK_SIZES[cidr.version]
    if not smallest <= asked < cidr.prefixlen:
        return ()
    pool.block_size = cidr.prefixlen
    return (f"smaller than its blockSize {asked}; here it is one block of size {cidr.prefixlen}",)


def _uses(given: calico_values.Values, place: specs.Place) -> list[resources_pb2.Use.ValueType]:
    found = [
        calico_values.choice(word, USES, place.item(index))
        for index, word in enumerate(given.items("allowedUses"))
    ]
    return [use for use in found if use is not None]


def _mode(
    given: calico_values.Values, place: specs.Place
) -> resources_pb2.AssignmentMode.ValueType:
    if "assignmentMode" not in given:
        return resources_pb2.ASSIGNMENT_MODE_UNSPECIFIED
    # Calico takes an empty word here for a mistake, and for a default elsewhere.
    mode = calico_values.choice(given.text("assignmentMode"), MODES, place)
    return mode or resources_pb2.ASSIGNMENT_MODE_UNSPECIFIED


def _refuse_load_balancer_mixture(pool: resources_pb2.Pool, place: specs.Place) -> None:
    if resources_pb2.USE_LOAD_BALANCER not in pool.allowed_uses:
        return
    if set(pool.allowed_uses) != {resources_pb2.USE_LOAD_BALANCER}:
        place.child("allowedUses").refuse("LoadBalancer goes with no other use; make two pools")
    if pool.node_selector not in ("", "all()"):
        place.child("nodeSelector").refuse("must be all() for a pool for LoadBalancer")
