"""What a run measures: every kind of row, and how thorough a run is."""

import dataclasses
import ipaddress
import itertools
from collections.abc import Mapping, Sequence
from typing import Final

from bench.work import Ask, Audience, Call, Phase
from moorage.v1 import resources_pb2 as messages

NODES: Final = 16
FULL_POOL: Final = "full"
FULL_POOL_SIZE: Final = 16
SMALL_POOL: Final = "small"
REPLACED_POOL: Final = "replaced"
REPLACED_POOL_SIZE: Final = 256
CROWD_POOLS: Final = 100
WARM_UP: Final = 0.3  # seconds at most


def flat(cidr: str, *, excluded: tuple[str, ...] = ()) -> messages.Pool:
    """A pool whose blocks belong to nobody."""
    return messages.Pool(
        cidr=cidr, block_affinity=messages.BLOCK_AFFINITY_NONE, excluded_ranges=excluded
    )


POOLS: Final = {
    "flat": flat("10.0.0.0/12"),
    "node": messages.Pool(cidr="10.16.0.0/12", block_affinity=messages.BLOCK_AFFINITY_NODE),
    FULL_POOL: flat("10.32.0.0/28"),
    SMALL_POOL: flat("10.36.0.0/26"),
    REPLACED_POOL: flat("10.37.0.0/24"),
    "ipv4": flat("10.33.0.0/16"),
    "ipv6": flat("fd00::/64"),
    "ipv6-48": flat("fd00:2::/48"),
    "fixed": flat("10.34.0.0/16"),
    "fixed6": flat("fd00:1::/64"),
    # Each has room for the largest crowd, should all of it hold addresses at once.
    **{f"crowd-{at}": flat(f"10.{64 + at // 64}.{at % 64 * 4}.0/22") for at in range(CROWD_POOLS)},
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One row for each number of callers."""

    title: str
    call: Call
    pool: str = ""
    nodes: int = 1
    callers: int | None = None  # where it is not for the chapter to say
    calls: int | None = None

    def phase(self, *, callers: int, seconds: float) -> Phase:
        """The stretch of load that measures it."""
        return Phase(
            call=self.call,
            callers=self.callers or callers,
            seconds=seconds,
            asks=(Ask(ipv4=self.pool),),
            nodes=self.nodes,
            calls=self.calls,
        )


EMPTY: Final = Scenario(title="empty call", call=Call.EMPTY)
COMMIT: Final = Scenario(title="insert commit", call=Call.COMMIT)
_FLAT: Final = "no affinity"

ASSIGN: Final = Scenario(title=f"assign, {_FLAT}", call=Call.ASSIGN, pool="flat")
RELEASE: Final = Scenario(title=f"release, {_FLAT}", call=Call.RELEASE, pool="flat")
REFUSAL: Final = Scenario(title="refused assign, pool full", call=Call.REFUSAL, pool=FULL_POOL)


def _of_nodes(nodes: int) -> tuple[Scenario, Scenario]:
    """Assign and release, by callers of so many nodes."""
    named = f"node affinity, {nodes} nodes"
    return (
        Scenario(title=f"assign, {named}", call=Call.ASSIGN, pool="node", nodes=nodes),
        Scenario(title=f"release, {named}", call=Call.RELEASE, pool="node", nodes=nodes),
    )


ASSIGN_NODE, RELEASE_NODE = _of_nodes(NODES)

# What takes a turn together: a release gives back what the assign before it took. The first is
# what the others are compared with.
CALL_TURNS: Final = (
    (EMPTY,),
    (COMMIT,),
    (ASSIGN, RELEASE),
    (ASSIGN_NODE, RELEASE_NODE),
    (REFUSAL,),
)
SCENARIOS: Final = tuple(itertools.chain.from_iterable(CALL_TURNS))
# What processes of one server share: with as many nodes as callers, each node is served by one.
PROCESS_TURNS: Final = (
    (EMPTY,),
    (ASSIGN, RELEASE),
    (ASSIGN_NODE, RELEASE_NODE),
    _of_nodes(64),
    # And what they get in each other's way for: few blocks, or none that is free.
    (Scenario(title="pair, one /26, 48 callers", call=Call.PAIR, pool=SMALL_POOL, callers=48),),
    (REFUSAL,),
    (
        Scenario(
            title=f"{REPLACED_POOL_SIZE} pods replaced on as many addresses",
            call=Call.REPLACE,
            pool=REPLACED_POOL,
            calls=REPLACED_POOL_SIZE,
        ),
    ),
)
OF_PROCESSES: Final = tuple(itertools.chain.from_iterable(PROCESS_TURNS))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """So many callers, on one pool or spread over several."""

    callers: int
    pools: int

    @property
    def asks(self) -> tuple[Ask, ...]:
        """What they ask for, in turn."""
        return tuple(Ask(ipv4=f"crowd-{at}") for at in range(self.pools))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """A pool of which some addresses are held, strewn over the first `strewn` of it."""

    prefix: int
    number: int
    held: int
    strewn: int
    title: str

    @property
    def pool(self) -> str:
        """Its id."""
        return f"fill-{self.prefix}-{self.number}"

    @property
    def cidr(self) -> str:
        """Its range; those of one size share no other."""
        if self.prefix == 8:
            return f"{30 + self.number}.0.0.0/8"
        return f"10.{self.prefix * 10 + self.number}.0.0/{self.prefix}"

    @property
    def is_full(self) -> bool:
        """Whether an assign is refused."""
        return self.held == 1 << (32 - self.prefix)

    @property
    def callers(self) -> int:
        """How many there is room for in each pool of this size that is not full."""
        return 2 if self.prefix == 24 else 16


def fillings(prefix: int, percents: tuple[int, ...]) -> tuple[Filling, ...]:
    """The pools of one size, the empty one first; of a /8 only one that is all but empty."""
    if prefix == 8:
        held = {0: "0 %", 10_000: "10,000 addresses"}
        strewn = 64_000
    else:
        strewn = 1 << (32 - prefix)
        held = {strewn * percent // 100: f"{percent} %" for percent in percents}
    return tuple(
        Filling(prefix=prefix, number=number, held=count, strewn=strewn, title=title)
        for number, (count, title) in enumerate(held.items())
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AddressKind:
    """What is asked for in one call."""

    title: str
    ask: Ask


ADDRESS_KINDS: Final = (
    AddressKind(title="IPv4, of a /16", ask=Ask(ipv4="ipv4")),
    AddressKind(title="IPv6, of a /64", ask=Ask(ipv6="ipv6")),
    AddressKind(title="IPv6, of a /48", ask=Ask(ipv6="ipv6-48")),
    AddressKind(title="both at once", ask=Ask(ipv4="ipv4", ipv6="ipv6")),
    AddressKind(title="IPv4, a fixed address", ask=Ask(fixed_start="10.34.0.0")),
    AddressKind(title="IPv6, a fixed address", ask=Ask(fixed_start="fd00:1::")),
)


def exactly(start: str, addresses: int) -> messages.Pool:
    """A pool of so many addresses: all others of the smallest range that has them are excluded."""
    first = ipaddress.ip_address(start)
    size = 1 << (addresses - 1).bit_length()
    spare = (f"{first + addresses}-{first + size - 1}",) if size > addresses else ()
    length = first.max_prefixlen - (addresses - 1).bit_length()
    return flat(f"{first}/{length}", excluded=spare)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """Pods on exactly as many addresses: they start, all are replaced, and all start at once.

    Of both families where `ipv6` says where those begin, as `ipv4` does.
    """

    name: str
    title: str
    pods: int
    ipv4: str
    ipv6: str = ""
    callers: int = 64

    @property
    def pools(self) -> Mapping[str, messages.Pool]:
        """One for each family."""
        starts = {f"{self.name}-ipv4": self.ipv4, f"{self.name}-ipv6": self.ipv6}
        return {pool: exactly(start, self.pods) for pool, start in starts.items() if start}

    @property
    def ask(self) -> Ask:
        """What each pod asks for."""
        ipv4, *ipv6 = self.pools
        return Ask(ipv4=ipv4, ipv6="".join(ipv6))


def rollouts(pods: int) -> Sequence[Rollout]:
    """Of one family, and of both."""
    ipv4 = Rollout(name="exact", title="IPv4", pods=pods, ipv4="10.35.0.0")
    return (ipv4, _of_both("exact-both", pods, ipv4="10.38.0.0", ipv6="fd00:3::"))


def plugin_rollout(pods: int) -> Rollout:
    """Of the pods that a plugin is called for."""
    return _of_both("exact-plugin", pods, ipv4="10.39.0.0", ipv6="fd00:4::")


def _of_both(name: str, pods: int, *, ipv4: str, ipv6: str) -> Rollout:
    return Rollout(name=name, title="IPv4 and IPv6", pods=pods, ipv4=ipv4, ipv6=ipv6)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """A load beside watches, in phases of so many times the plan's seconds."""

    audience: Audience
    call: Call = Call.PAIR
    length: int = 1


# What it takes is little, if anything: it takes long to be told from noise.
IDLE: Final = Watching(audience=Audience(watches=100), length=8)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How thorough a run is; times in seconds."""

    name: str = "default"
    rounds: int = 3
    turns: int = 3  # in a round, of what is compared with something
    seconds: float = 0.8
    callers: tuple[int, ...] = (1, 16, 64)
    crowds: tuple[int, ...] = (1, 16, 64, 256, 1000)
    fill_prefixes: tuple[int, ...] = (24, 20, 16, 8)
    fill_percents: tuple[int, ...] = (0, 50, 90, 99, 100)
    stocks: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000)
    rollout_pods: int = 1000
    plugin_rollout_pods: int = 200
    watching: tuple[Watching, ...] = (
        IDLE,
        Watching(audience=Audience(watches=100, of_everything=True)),
        Watching(audience=Audience(watches=100, of_everything=True), call=Call.MIX),
        Watching(audience=Audience(watches=1000)),
        Watching(audience=Audience(watches=1000, of_everything=True)),
    )
    rate_percents: tuple[int, ...] = (50, 80)  # percent of the closed loop's rate
    processes: tuple[int, ...] = (1, 2)  # of one server; the first is what others are compared with
    peer_held: int = 10_000
    peer_pools: int = 500  # beside which another is refused
    peer_crowds: tuple[int, ...] = (1000,)  # callers, beside `callers`, where nothing is held
    builds_peers: bool = True

    @property
    def warm_up(self) -> float:
        """Of every row, before the first round: what is done for the first time costs more."""
        return min(WARM_UP, self.seconds)


QUICK: Final = Plan(
    name="quick",
    rounds=2,
    turns=1,
    seconds=0.4,
    crowds=(1, 256),
    fill_prefixes=(24, 20, 8),
    fill_percents=(0, 50, 99, 100),
    stocks=(1_000, 10_000),
    rollout_pods=250,
    plugin_rollout_pods=40,
    watching=(Watching(audience=Audience(watches=100, of_everything=True), call=Call.MIX),),
    peer_held=2_000,
    peer_pools=30,
    peer_crowds=(),
    builds_peers=False,
)
