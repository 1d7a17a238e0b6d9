"""What the driver makes of addresses, blocks and JSON: the same values as its own loaders, sooner.

A row of what somebody holds has two of the first kind and one of the last, and an assign reads
and locks such rows: a tenth of what it costs the server.
"""

import functools
import ipaddress
import json
import socket

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Loader

from moorage_server.domain import addresses

_BLOCKS_KEPT = 1 << 14  # many addresses are of one block


class _Inet(Loader):
    """Addresses; what has a prefix length of its own is none of ours, and refused."""

    def load(self, data: Buffer) -> addresses.Address:
        """Read one."""
        text = bytes(data).decode("ascii")
        if ":" in text:
            return ipaddress.IPv6Address(socket.inet_pton(socket.AF_INET6, text))
        return ipaddress.IPv4Address(socket.inet_pton(socket.AF_INET, text))


class _Cidr(Loader):
    def load(self, data: Buffer) -> addresses.Network:
        """Read one."""
        return _network(bytes(data))


class _Json(Loader):
    def load(self, data: Buffer) -> object:
        """Read one."""
        # As a text: from bytes, the library would first find out their encoding.
        return json.loads(bytes(data).decode())


@functools.lru_cache(_BLOCKS_KEPT)
def _network(text: bytes) -> addresses.Network:
    return ipaddress.ip_network(text.decode("ascii"))


def register(connection: psycopg.Connection) -> None:
    """Has a connection read by these from now on."""
    for name, loader in (("inet", _Inet), ("cidr", _Cidr), ("jsonb", _Json)):
        connection.adapters.register_loader(name, loader)
