"""Keeps a DNS zone of the pods that hold addresses: POD.NAMESPACE.ZONE, or POD.ZONE without one.

What cannot stand in a name of DNS is replaced, and a hash added to keep such names apart. The
serial is the time in seconds, or one more than in the file where that is not less: it grows with
every change, also across restarts. A name server takes the zone from the file, or by transfer from
one that does; it has to be told of changes, with `rndc reload` for one.
"""

import argparse
import ipaddress
import re
import sys
import time
from collections.abc import Iterable, Iterator

import consumer
from moorage.v1 import resources_pb2

HEADER = "; Kept by dns_zone.py from what Moorage says; what else is written here is lost."
TYPES = {4: "A", 6: "AAAA"}
LONGEST_ZONE = 120  # of 253 characters, two labels of 63 and their dots before it
LONGEST_TTL = 2**31 - 1

_SERIAL = re.compile(r"^@ IN SOA \S+ \S+ (\d+) ", re.MULTILINE)
_DOMAIN = re.compile(r"([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)+")


def main() -> int:
    """Keeps the file; returns the exit code."""
    parser = consumer.parser("Keep a DNS zone of the pods that hold addresses.")
    parser.add_argument("--zone", type=domain, required=True, help="its name, such as pods.example")
    parser.add_argument("--ttl", type=_ttl, default=30, help="in seconds; default: %(default)s")
    parser.add_argument(
        "--name-server", type=domain, default="localhost.", help="of the zone; default: %(default)s"
    )
    options = parser.parse_args()

    def render(allocations: Iterable[resources_pb2.Allocation], previous: str) -> str:
        return text(options, list(_records(allocations)), previous)

    return consumer.keep(options, HEADER, render)


def text(options: argparse.Namespace, records: Iterable[str], previous: str) -> str:
    """Returns the zone without the header, with another serial where it is not as it was."""
    found = _SERIAL.search(previous)
    if found is None:
        return _zone(options, records, int(time.time()))
    serial = int(found[1])
    unchanged = _zone(options, records, serial)
    return unchanged if unchanged == previous else _zone(options, records, following(serial))


def following(serial: int) -> int:
    """Returns the serial of a zone that has changed."""
    return max((serial + 1) % 2**32, int(time.time()))


def domain(name: str) -> str:
    """Returns the name of a domain as an absolute one."""
    absolute = f"{name.lower().removesuffix('.')}."
    if not _DOMAIN.fullmatch(absolute) or len(absolute) > LONGEST_ZONE:
        raise argparse.ArgumentTypeError(
            f"{name!r} is not a domain's name of at most {LONGEST_ZONE} characters"
        )
    return absolute


def _zone(options: argparse.Namespace, records: Iterable[str], serial: int) -> str:
    lines = (
        f"$ORIGIN {options.zone}",
        f"$TTL {options.ttl}",
        f"@ IN SOA {options.name_server} hostmaster {serial} 3600 600 604800 {options.ttl}",
        f"@ IN NS {options.name_server}",
        *records,
    )
    return "".join(f"{line}\n" for line in lines)


def _records(allocations: Iterable[resources_pb2.Allocation]) -> Iterator[str]:
    """Yields a record for each address of a pod, in order of names and addresses."""
    of_pods = (each for each in allocations if each.workload.pod)
    addresses = ((_name(each.workload), ipaddress.ip_address(each.address)) for each in of_pods)
    for name, address in sorted(addresses, key=lambda each: (each[0], each[1].version, each[1])):
        yield f"{name} IN {TYPES[address.version]} {address}"


def _name(workload: resources_pb2.Workload) -> str:
    """Returns the name of a pod, relative to the zone."""
    parts = (workload.pod, workload.namespace) if workload.namespace else (workload.pod,)
    return ".".join(consumer.label(part) for part in parts)


def _ttl(text: str) -> int:
    if not text.isdecimal() or int(text) > LONGEST_TTL:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
