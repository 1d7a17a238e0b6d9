"""Where a call comes from, as gRPC writes it."""


def host(peer: str) -> str:
    """Without its port, of which each connection has another."""
    return peer if peer.startswith("unix:") else peer.rpartition(":")[0]
