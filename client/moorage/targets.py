"""Where a server is, as people write it: what gRPC is given for that. Loads without gRPC."""

import ipaddress
import re

from moorage import names

_URI = re.compile(r"(dns|ipv4|ipv6|unix|unix-abstract|xds|vsock):\S+")
_HOST_AND_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]+)(?::([0-9]{1,5}))?")
_LAST_PORT = 65535
_LONGEST = 1024


def uri(target: str) -> str:
    """Return `target` as gRPC wants it: a host or address gets the default port, a URI stays.

    Raises ValueError where it is neither: gRPC would take a port that is too large for another
    one, and wait for a host that cannot be.
    """
    if len(target) <= _LONGEST and _URI.fullmatch(target):
        return target
    if _is_ipv6(target):
        return f"dns:///[{target}]:{names.DEFAULT_PORT}"
    found = _HOST_AND_PORT.fullmatch(target)
    port = int(found[2] or names.DEFAULT_PORT) if found else 0
    if not found or len(target) > _LONGEST or not 0 < port <= _LAST_PORT:
        shown = target if len(target) <= 80 else f"{target[:80]}..."
        raise ValueError(f"{shown!r} is not a server; write host:port, or unix:///path")
    return f"dns:///{found[1]}:{port}"


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True
