"""What the server would refuse of a pool or a reservation, as far as it is seen without asking.

A preview creates nothing to find it out. Selectors are judged by the server alone.
"""

from __future__ import annotations

import ipaddress

from moorage.ctl import calico_pools, kinds
from moorage.v1 import resources_pb2

# Hosts give themselves the addresses of the first two; the third is IPv4 in disguise.
_NEVER_ASSIGNED = tuple(
    ipaddress.ip_network(text) for text in ("169.254.0.0/16", "fe80::/10", "::ffff:0:0/96")
)
_MOST_CIDRS = 256
_MOST_LABELS = 32
_LONGEST_KEY = 63
_LONGEST_VALUE = 256


def of(resource: kinds.Resource) -> str:
    """Return why the server would not create a resource, and what next; empty where it would."""
    if isinstance(resource, resources_pb2.Pool):
        return _of_range(resource) or _of_uses(resource) or _of_labels(resource)
    if isinstance(resource, resources_pb2.Reservation) and len(resource.cidrs) > _MOST_CIDRS:
        return f"{len(resource.cidrs)} CIDRs are too many; make reservations of {_MOST_CIDRS} each"
    return _of_labels(resource)


def _of_range(pool: resources_pb2.Pool) -> str:
    cidr = ipaddress.ip_network(pool.cidr)
    for never in _NEVER_ASSIGNED:
        if cidr.version == never.version and cidr.overlaps(never):
            return (
                f"{cidr} overlaps {never}, which is never assigned; take the pool out of the dump"
            )
    shortest, longest = calico_pools.BLOCK_SIZES[cidr.version]
    if pool.block_size and not shortest <= pool.block_size <= longest:
        return f"block size {pool.block_size} is not from {shortest} to {longest}; correct it"
    if 0 < pool.block_size < cidr.prefixlen:
        return (
            f"{cidr} is smaller than one block of size {pool.block_size}; give it a block size of "
            f"{cidr.prefixlen} or more"
        )
    return ""


def _of_uses(pool: resources_pb2.Pool) -> str:
    if pool.namespace_selector and resources_pb2.USE_TUNNEL in pool.allowed_uses:
        return "a namespaceSelector does not go with use Tunnel; leave one of them out"
    return ""


def _of_labels(resource: kinds.Resource) -> str:
    if len(resource.labels) > _MOST_LABELS:
        return f"{len(resource.labels)} labels are too many; leave at most {_MOST_LABELS}"
    for key, text in resource.labels.items():
        if len(key) > _LONGEST_KEY or len(text) > _LONGEST_VALUE:
            return (
                f"label {key} is too long; keys have up to {_LONGEST_KEY} characters, values up to "
                f"{_LONGEST_VALUE}"
            )
    return ""
