"""What the chaos is about: its pools, and what nodes ask for of them."""

import dataclasses
import ipaddress
import random
import zlib

import moorage
from harness import calls
from moorage.v1 import allocation_service_pb2 as messages
from moorage.v1 import resources_pb2 as resources

COOLDOWN = 2  # seconds, of the pool "cool"
# Of the pool "wide": nobody gets one of these, since nobody names one.
RESERVED = ipaddress.ip_network("10.1.0.0/28")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """A pool, and for how long its addresses rest."""

    name: str
    cidr: str
    block_size: int
    cooldown: int = 0
    affinity: resources.BlockAffinity.ValueType = resources.BLOCK_AFFINITY_NONE


RANGES = (
    Range(name="wide", cidr="10.1.0.0/20", block_size=26, affinity=resources.BLOCK_AFFINITY_NODE),
    Range(name="tight", cidr="10.2.0.0/27", block_size=29),
    Range(name="cool", cidr="10.3.0.0/25", block_size=28, cooldown=COOLDOWN),
    Range(name="six", cidr="fd00:6::/118", block_size=124),
)
# Those that have room for all pods there ever are, many times.
AMPLE = {"wide", "six"}
# Whose pods want many times what its quota lets it hold, and everybody else's.
CAPPED, FREE = "capped", "shop"
QUOTA = 8  # addresses
# Addresses that everybody wants: whoever asks gets one of them, or is refused.
_CONTESTED = [f"10.2.0.{at}" for at in range(8, 16)]
_CONTESTED_IPV6 = ("fd00:6::1", "fd00:6::2")


def set_up(client: moorage.Client) -> None:
    """Makes the pools and the reservation."""
    for each in RANGES:
        calls.create_pool(
            client,
            each.name,
            each.cidr,
            block_size=each.block_size,
            block_affinity=each.affinity,
            cooldown_seconds=each.cooldown,
        )
    client.create_reservation("kept", resources.Reservation(cidrs=[str(RESERVED)]))
    quotas = resources.Quotas(
        namespaces=[resources.NamespaceQuota(namespace=CAPPED, addresses=QUOTA)]
    )
    vrf = resources.Vrf(name="vrfs/default", quotas=quotas)
    client.update_vrf(vrf, update_mask=["quotas"])


def namespace(pod: str) -> str:
    """Whose a pod is, whoever asks."""
    return FREE if zlib.crc32(pod.encode()) % 6 else CAPPED


def some(chance: random.Random) -> list[messages.AddressRequest]:
    """What one pod asks for."""
    dice = chance.random()
    if dice < 0.45:
        return [calls.want(pools=("wide",))]
    if dice < 0.6:
        return [calls.want(pools=("wide",)), calls.want(calls.IPV6, pools=("six",))]
    if dice < 0.75:
        return [calls.want(pools=("cool",))]
    if dice < 0.85:
        return [calls.want(pools=("tight",))]
    if dice < 0.9:
        # Often refused for the second, when it has the first.
        return [calls.want(pools=("wide",)), calls.fixed(chance.choice(_CONTESTED_IPV6))]
    return [calls.fixed(*chance.sample(_CONTESTED, 2))]
