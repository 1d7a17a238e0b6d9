"""How many addresses a range has, and how many are used: a row for each pool and block."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from moorage.v1 import resources_pb2

HEADER = ("GROUPING", "CIDR", "IPS TOTAL", "IPS IN USE", "IPS RESERVED", "IPS FREE")

# Where the counters of the API stop.
_SATURATED = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """The figures of one range; an address both in use and reserved counts as both."""

    cidr: str
    total: int
    in_use: int
    reserved: int
    free: int

    def row(self, grouping: str) -> list[str]:
        """Return the row of a table."""
        shares = (share(count, self.total) for count in (self.in_use, self.reserved, self.free))
        return [grouping, self.cidr, number(self.total), *shares]

    def document(self) -> dict[str, object]:
        """Return what stands for it in JSON, all figures exact."""
        return {
            "cidr": self.cidr,
            "total": self.total,
            "inUse": self.in_use,
            "reserved": self.reserved,
            "free": self.free,
        }


def of(cidr: str, counts: resources_pb2.AddressCounts) -> Usage:
    """Return the figures of a pool or block; what is cooling or sticky counts as in use.

    Ranges too large for the counters of the API are reckoned from their CIDR.
    """
    total = ipaddress.ip_network(cidr).num_addresses
    in_use = counts.assigned_count + counts.cooling_count + counts.sticky_count
    free = counts.available_count
    if free == _SATURATED:
        free = total - in_use - counts.reserved_count
    return Usage(cidr=cidr, total=total, in_use=in_use, reserved=counts.reserved_count, free=free)


def number(count: int) -> str:
    """Return a count in five significant digits: "65536", "1.8447e+19"."""
    return f"{count:.5g}"


def addresses(count: int, noun: str = "address") -> str:
    """Return a count of addresses in words: "1 address", "5 addresses"."""
    return f"{count} {noun}{'' if count == 1 else 'es'}"


def share(count: int, total: int) -> str:
    """Return a count and its share in whole percent: "5 (0%)"."""
    return f"{number(count)} ({100 * count / total:.0f}%)"
