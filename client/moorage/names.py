"""Resource names and the defaults that every program of Moorage shares.

A resource is named by its path: "vrfs/blue", "vrfs/blue/pools/web",
"vrfs/blue/allocations/fd00::7". Whoever calls may give the last part alone, the id, with the VRF
beside it. Whether an id is well formed is for the server to say. Loads without gRPC.
"""

from ipaddress import IPv4Address, IPv6Address

DEFAULT_VRF = "default"
DEFAULT_PORT = 7711
DEFAULT_SERVER = f"127.0.0.1:{DEFAULT_PORT}"

Address = str | IPv4Address | IPv6Address


def vrf(vrf_id: str) -> str:
    """Return the name of a VRF, given its id or its name."""
    return _name("vrfs", vrf_id)


def pool(pool_id: str, vrf_id: str = DEFAULT_VRF) -> str:
    """Return the name of a pool, given its id and VRF; a full name stays as it is."""
    return _name(f"{vrf(vrf_id)}/pools", pool_id)


def reservation(reservation_id: str, vrf_id: str = DEFAULT_VRF) -> str:
    """Return the name of a reservation, given its id and VRF; a full name stays as it is."""
    return _name(f"{vrf(vrf_id)}/reservations", reservation_id)


def node(node_id: str, vrf_id: str = DEFAULT_VRF) -> str:
    """Return the name of a node, given its id and VRF; a full name stays as it is."""
    return _name(f"{vrf(vrf_id)}/nodes", node_id)


def allocation(address: Address, vrf_id: str = DEFAULT_VRF) -> str:
    """Return the name of an allocation, given its address and VRF; a full name stays as it is."""
    return _name(f"{vrf(vrf_id)}/allocations", str(address))


def sticky_address(address: Address, vrf_id: str = DEFAULT_VRF) -> str:
    """Return the name of a sticky address, given its address and VRF; a full name stays."""
    return _name(f"{vrf(vrf_id)}/stickyAddresses", str(address))


def id_of(name: str) -> str:
    """Return the last part of a name: "web" of "vrfs/blue/pools/web"."""
    return name.rpartition("/")[2]


def vrf_of(name: str) -> str:
    """Return the id of the VRF that a name begins with: "blue" of "vrfs/blue/pools/web"."""
    return name.split("/", 2)[1]


def _name(collection: str, text: str) -> str:
    return text if text.startswith("vrfs/") else f"{collection}/{text}"
