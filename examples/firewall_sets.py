"""Keeps nftables sets of the addresses that are held, one for each pool or value of a label.

`nft -f FILE` makes the sets what the file says, all at once. Rules that use them belong into the
same table and another file, so that nothing here touches them:

    table inet moorage-default {
        chain input { ip saddr @pool-web-v4 accept; }
    }

A set that has been in the file stays there when it gets empty: so it is emptied by the next load.
"""

import ipaddress
import re
import sys
from collections.abc import Iterable, Iterator

import consumer
from moorage import names
from moorage.v1 import resources_pb2

HEADER = "# Kept by firewall_sets.py from what Moorage says; what else is written here is lost."
TYPES = {4: "ipv4_addr", 6: "ipv6_addr"}

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Sets = dict[str, list[Address]]


def main() -> int:
    """Keeps the file; returns the exit code."""
    parser = consumer.parser("Keep nftables sets of the addresses that are held.")
    parser.add_argument(
        "--label", metavar="KEY", help="a set for each value of this label, instead of each pool"
    )
    options = parser.parse_args()
    table = f"moorage-{names.id_of(options.vrf)}"

    def render(allocations: Iterable[resources_pb2.Allocation], previous: str) -> str:
        return text(table, _sets(allocations, options.label, _known(previous, table)))

    return consumer.keep(options, HEADER, render)


def text(table: str, sets: Sets) -> str:
    """Returns the file, without the header."""
    return "\n".join((*_declared(table, sets), *_filled(table, sets), ""))


def _declared(table: str, sets: Sets) -> Iterator[str]:
    yield f"table inet {table} {{"
    for name in sorted(sets):
        yield f"\tset {name} {{"
        yield f"\t\ttype {TYPES[int(name[-1])]}"
        yield "\t}"
    yield "}"


def _filled(table: str, sets: Sets) -> Iterator[str]:
    for name, addresses in sorted(sets.items()):
        yield f"flush set inet {table} {name}"
        if addresses:
            yield f"add element inet {table} {name} {{"
            yield ",\n".join(f"\t{each}" for each in sorted(addresses))
            yield "}"


def _sets(
    allocations: Iterable[resources_pb2.Allocation], label: str | None, known: Iterable[str]
) -> Sets:
    """Returns what is to be in each set, those that are known already among them."""
    sets: Sets = {name: [] for name in known}
    for allocation in allocations:
        group = _group(allocation, label)
        if group is not None:
            address = ipaddress.ip_address(allocation.address)
            sets.setdefault(f"{group}-v{address.version}", []).append(address)
    return sets


def _group(allocation: resources_pb2.Allocation, label: str | None) -> str | None:
    if label is None:
        return f"pool-{consumer.label(names.id_of(allocation.pool))}"
    if label not in allocation.labels:
        return None
    return f"label-{consumer.label(label)}-{consumer.label(allocation.labels[label])}"


def _known(previous: str, table: str) -> list[str]:
    """Returns the sets that the file has; whoever loaded it has them."""
    return re.findall(rf"^flush set inet {re.escape(table)} (\S+-v[46])$", previous, re.MULTILINE)


if __name__ == "__main__":
    sys.exit(main())
