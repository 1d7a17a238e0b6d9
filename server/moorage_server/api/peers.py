"""Where a call comes from, as gRPC writes it."""

import urllib.parse


def host(peer: str) -> str:
    """Without its port, of which each connection has another."""
    return "unix" if peer.startswith("unix") else urllib.parse.unquote(peer.rpartition(":")[0])
