"""Random ground: pools, nodes, reservations, and what requests ask of them."""

import datetime
import ipaddress
import random

from google.protobuf import timestamp_pb2

from moorage.v1 import allocation_service_pb2 as requests
from moorage.v1 import resources_pb2 as messages
from properties.holdings import NAMESPACE_SELECTORS, NODE_SELECTORS, Holdings, Network, Pool

NODES = ("n1", "n2", "n3", "n4")
PODS = tuple(f"pod-{at}" for at in range(24))
LABELS: tuple[dict[str, str], ...] = (
    {},
    {"zone": "east"},
    {"zone": "west", "gpu": ""},
    {"zone": "north", "gpu": ""},
)
TEAMS: tuple[dict[str, str], ...] = ({}, {"team": "blue"}, {"team": "red"})
USES = (messages.USE_WORKLOAD, messages.USE_TUNNEL)


def pool(chance: random.Random, number: int, *, name: str) -> Pool:
    """A pool of 4 to 32 addresses in a range of its own."""
    version = chance.choice((4, 4, 4, 6))
    length, base = (32, f"10.0.{number}.0") if version == 4 else (128, f"fd00::{number:x}00")
    prefix = length - chance.choice((2, 3, 4, 4, 5))
    cidr = ipaddress.ip_network(f"{base}/{prefix}")
    namespace_selector = chance.choice(("", "", *NAMESPACE_SELECTORS))
    kept = chance.sample([*cidr], chance.choice((0, 0, 1, 2)))
    uses = chance.choice((USES, USES[:1], USES[1:]))
    return Pool(
        name=name,
        cidr=cidr,
        block_size=min(length, max(prefix, length - chance.choice((0, 1, 2, 2, 3)))),
        affine=chance.random() < 0.75,
        kept=frozenset(kept),
        uses=frozenset(USES[:1] if namespace_selector else uses),
        node_selector=chance.choice(("", "", *NODE_SELECTORS)),
        namespace_selector=namespace_selector,
        manual=chance.random() < 0.15,
        priority=chance.choice((0, 0, 0, 5)),
    )


def message(pool: Pool) -> messages.Pool:
    """A pool as the API takes it."""
    mode = messages.ASSIGNMENT_MODE_MANUAL if pool.manual else messages.ASSIGNMENT_MODE_AUTOMATIC
    affinity = messages.BLOCK_AFFINITY_NODE if pool.affine else messages.BLOCK_AFFINITY_NONE
    return messages.Pool(
        name=f"vrfs/default/pools/{pool.name}",
        cidr=str(pool.cidr),
        block_size=pool.block_size,
        block_affinity=affinity,
        excluded_ranges=sorted(map(str, pool.kept)),
        allowed_uses=sorted(pool.uses),
        node_selector=pool.node_selector,
        namespace_selector=pool.namespace_selector,
        assignment_mode=mode,
        disabled=pool.disabled,
        priority=pool.priority,
    )


def reservation(chance: random.Random, now: Holdings) -> tuple[list[Network], messages.Reservation]:
    """A reservation of some addresses or a whole block; sometimes one that has expired."""
    cidrs: list[Network] = []
    for _ in range(chance.choice((1, 1, 2))):
        inside = chance.choice(sorted(now.pools.values(), key=lambda each: each.name))
        length = inside.cidr.max_prefixlen
        size = chance.choice((length, length, length - 1, inside.block_size))
        address = chance.choice(list(inside.cidr))
        cidrs.append(ipaddress.ip_network(f"{address}/{size}", strict=False))
    expired = chance.random() < 0.2
    when = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=-1 if expired else 1)
    expire_time = timestamp_pb2.Timestamp()
    expire_time.FromDatetime(when)
    made = messages.Reservation(cidrs=list(map(str, cidrs)), expire_time=expire_time)
    return [] if expired else cidrs, made


def wants(chance: random.Random, now: Holdings) -> list[requests.AddressRequest]:
    """One to three addresses: any, from named pools, or fixed."""
    return [_want(chance, now) for _ in range(chance.choice((1, 1, 1, 1, 1, 2, 2, 3)))]


def _want(chance: random.Random, now: Holdings) -> requests.AddressRequest:
    pools = sorted(now.pools.values(), key=lambda each: each.name)
    kind = chance.random()
    if kind < 0.5 or not pools:
        family = chance.choice((messages.IP_FAMILY_IPV4, messages.IP_FAMILY_IPV4, IPV6))
        return requests.AddressRequest(family=family)
    first = chance.choice(pools)
    others = [each for each in pools if each.cidr.version == first.cidr.version]
    if chance.random() < 0.05:
        others = pools  # of both families: one of them is wrong
    chosen = chance.sample(others, min(len(others), chance.choice((1, 1, 2, 3))))
    family = IPV6 if first.cidr.version == 6 else messages.IP_FAMILY_IPV4
    if kind < 0.75:
        texts = [chance.choice((each.name, str(each.cidr))) for each in chosen]
        texts += ["nowhere"] if chance.random() < 0.03 else []
        return requests.AddressRequest(family=family, pools=dict.fromkeys(texts))
    same = [each for each in chosen if each.cidr.version == first.cidr.version] or [first]
    candidates = [str(chance.choice(list(each.cidr))) for each in same]
    return requests.AddressRequest(family=family, candidate_addresses=dict.fromkeys(candidates))


IPV6 = messages.IP_FAMILY_IPV6
