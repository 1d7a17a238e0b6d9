"""What a VRF must look like after a history: a model without a server, small enough to trust.

It knows rules, not choices: which addresses a request may be given, never which one it will.
"""

import dataclasses
import datetime
import ipaddress
from collections.abc import Callable, Iterator, Mapping

from moorage.v1 import resources_pb2 as messages

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

Labels = Mapping[str, str]

# Selectors whose meaning can be said again in a word of Python.
NODE_SELECTORS: dict[str, Callable[[Labels], bool]] = {
    "": lambda _: True,
    "all()": lambda _: True,
    "!all()": lambda _: False,
    "zone == 'east'": lambda labels: labels.get("zone") == "east",
    "zone != 'east'": lambda labels: labels.get("zone") != "east",
    "zone in {'east', 'west'}": lambda labels: labels.get("zone") in ("east", "west"),
    "zone not in {'west'}": lambda labels: labels.get("zone") != "west",
    "has(gpu) || zone starts with 'w'": lambda labels: (
        "gpu" in labels or labels.get("zone", "").startswith("w")
    ),
}
NAMESPACE_SELECTORS: dict[str, Callable[[Labels], bool]] = {
    "": lambda _: True,
    "team == 'blue'": lambda labels: labels.get("team") == "blue",
    "!has(team)": lambda labels: "team" not in labels,
}


@dataclasses.dataclass(kw_only=True)
class Pool:
    """A pool of a few addresses; `kept` are those it never assigns."""

    name: str
    cidr: Network
    block_size: int
    affine: bool
    kept: frozenset[Address]
    uses: frozenset[messages.Use.ValueType]
    node_selector: str = ""
    namespace_selector: str = ""
    manual: bool = False
    disabled: bool = False
    draining: bool = False
    priority: int = 0

    def blocks(self) -> Iterator[Network]:
        """Every block that can be opened."""
        yield from self.cidr.subnets(new_prefix=self.block_size)

    def selects(self, labels: Labels) -> bool:
        """Whether its node selector matches."""
        return NODE_SELECTORS[self.node_selector](labels)


@dataclasses.dataclass(kw_only=True)
class Cooling:
    """An address that was released, and whose it was."""

    pod: str
    owner_key: str


@dataclasses.dataclass(kw_only=True)
class Configuration:
    """How blocks are dealt out."""

    strict: bool = False
    auto: bool = True
    max_blocks: int = 0
    cooldown: int = 0

    @property
    def limit(self) -> int:
        """How many blocks a node may own."""
        return self.max_blocks or 20


@dataclasses.dataclass
class Holdings:
    """Everything that decides what may be answered next."""

    configuration: Configuration = dataclasses.field(default_factory=Configuration)
    pools: dict[str, Pool] = dataclasses.field(default_factory=dict)
    nodes: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)
    reserved: dict[str, list[Network]] = dataclasses.field(default_factory=dict)
    held: dict[Address, messages.Allocation] = dataclasses.field(default_factory=dict)
    containers: dict[str, list[messages.Allocation]] = dataclasses.field(default_factory=dict)
    cooling: dict[Address, Cooling] = dataclasses.field(default_factory=dict)
    generations: dict[Address, int] = dataclasses.field(default_factory=dict)
    # As ListBlocks told them last; `openings` says how they may change.
    blocks: dict[Network, messages.Block] = dataclasses.field(default_factory=dict)
    # Blocks in which an address has cooled down unseen: the server notices when it looks again.
    thawed: set[Network] = dataclasses.field(default_factory=set)

    def pool_of(self, address: Address) -> Pool | None:
        """The pool that an address lies in."""
        inside = (each for each in self.pools.values() if address in each.cidr)
        return next(inside, None)

    def block_of(self, address: Address) -> Network | None:
        """The block that an address lies in, open or not."""
        pool = self.pool_of(address)
        return None if pool is None else block_at(address, pool.block_size)

    def labels_of(self, node: str) -> Labels:
        """What node selectors see."""
        return self.nodes.get(node, {})

    def is_reserved(self, address: Address) -> bool:
        """Whether a live reservation covers it."""
        return any(address in cidr for cidrs in self.reserved.values() for cidr in cidrs)

    def is_hidden(self, address: Address) -> bool:
        """Whether it is not given unasked."""
        pool = self.pool_of(address)
        return self.is_reserved(address) or (pool is not None and address in pool.kept)

    def is_empty(self, block: Network) -> bool:
        """Whether nothing of a block is held or cooling."""
        return not any(each in self.held or each in self.cooling for each in block)

    def owner_of(self, block: Network) -> str | None:
        """The node of an open block, empty where it has none; None where it is not open."""
        return self.blocks[block].node if block in self.blocks else None

    def serves(self, pool: Pool, workload: messages.Workload, use: int) -> str | None:
        """The rule that passes a pool over where none is named, if any."""
        namespace = NAMESPACE_SELECTORS[pool.namespace_selector]
        rules = {
            "disabled": pool.disabled,
            "draining": pool.draining,
            "manual": pool.manual,
            "node selector": not pool.selects(self.labels_of(workload.node)),
            "namespace selector": not namespace(workload.namespace_labels),
            "use": use not in pool.uses,
        }
        return next((rule for rule, applies in rules.items() if applies), None)

    def hold(self, container: str, allocations: list[messages.Allocation]) -> None:
        """Notes what a container was given."""
        self.containers[container] = list(allocations)
        for each in allocations:
            address = ipaddress.ip_address(each.address)
            self.held[address] = each
            self.generations[address] = each.generation
            self.cooling.pop(address, None)

    def free(self, container: str, released: list[messages.Allocation]) -> None:
        """Notes what a container gave back."""
        gone = {each.address for each in released}
        kept = [each for each in self.containers[container] if each.address not in gone]
        self.containers[container] = kept
        if not kept:
            del self.containers[container]
        for each in released:
            address = ipaddress.ip_address(each.address)
            del self.held[address]
            if self.configuration.cooldown:
                self.cooling[address] = Cooling(pod=each.workload.pod, owner_key=each.owner_key)


def block_at(address: Address, block_size: int) -> Network:
    """The block of this size that an address lies in."""
    return ipaddress.ip_network(f"{address}/{block_size}", strict=False)


def age(block: messages.Block) -> float:
    """For how many seconds a block has belonged to its node."""
    claimed = block.claim_time.ToDatetime(tzinfo=datetime.UTC)
    return (datetime.datetime.now(datetime.UTC) - claimed).total_seconds()
