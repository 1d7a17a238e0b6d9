"""Addresses and pools as users write them, parsed strictly.

The rules are those of Go's net package, which users of CNI plugins know: no zone, no leading
zeros, no blanks, and an IPv4-mapped IPv6 text is the IPv4 address.
"""

import ipaddress
import re
from typing import Literal

from moorage.cni import errors
from moorage.cni.origin import Origin

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Family = Literal[4, 6]
FAMILIES: tuple[Family, ...] = (4, 6)
MOST_LISTED = 16

_ADDRESS = re.compile(r"[0-9A-Fa-f:.]{2,45}")
_PREFIX_LENGTH = re.compile(r"0|[1-9][0-9]{0,2}")
_POOL_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def parse(text: str) -> Address:
    """Parses one address.

    Raises:
        ValueError: anything else, a CIDR and a zone included.
    """
    if not _ADDRESS.fullmatch(text):
        raise ValueError(f"invalid IP format: {errors.quote(text)}")
    try:
        address = ipaddress.ip_address(text)
    except ValueError as error:
        raise ValueError(f"invalid IP format: {errors.quote(text)}") from error
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def parse_interface(text: str) -> Address:
    """Parses an address that may carry a prefix length, and leaves that away.

    Raises:
        ValueError: anything else.
    """
    address, slash, length = text.partition("/")
    parsed = parse(address)
    if slash and not (_PREFIX_LENGTH.fullmatch(length) and int(length) <= parsed.max_prefixlen):
        raise ValueError(f"invalid prefix length: {errors.quote(text)}")
    return parsed


def pool(source: Origin, text: str, family: Family) -> str:
    """Parses one entry of a list of pools: the canonical CIDR, or the name as it stands."""
    if len(text) <= 253 and _POOL_NAME.fullmatch(text):
        return text
    try:
        network = _network(text)
    except ValueError as error:
        raise source.refuse(
            errors.unresolved(text),
            "write the pool's CIDR, such as 10.0.0.0/16, or its name (lower case letters, digits, "
            "'-' and '.')",
        ) from error
    require_family(source, network, family)
    return str(network)


def require_family(source: Origin, network: Network, family: Family) -> None:
    """Refuses a pool that stands in the list of the other family.

    Raises:
        CniError: with the code of the source.
    """
    if network.version != family:
        raise source.refuse(
            f'"{network.network_address}" isn\'t a IPv{family} address',
            f"list only IPv{family} pools here",
        )


def _network(text: str) -> Network:
    address, _, length = text.partition("/")
    if not (_ADDRESS.fullmatch(address) and _PREFIX_LENGTH.fullmatch(length)):
        raise ValueError("not an address and a prefix length")
    network = ipaddress.ip_network(text, strict=False)
    if isinstance(network, ipaddress.IPv6Network) and network.network_address.ipv4_mapped:
        raise ValueError("a range of IPv4-mapped addresses")
    return network
