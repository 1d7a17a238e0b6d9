"""What a decision may need to see, and what storage answers.

A need says which rows are meant, and for blocks whether one that is on the shelf
already is such a row.
"""

import dataclasses
import datetime
from collections.abc import Mapping

from moorage_server.domain import addresses, blocks, model


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OwnBlocks:
    """Wanted: blocks with room that belong to a node, in any of these pools."""

    node: str
    pool_ids: tuple[int, ...]

    def suits(self, block: blocks.Block) -> bool:
        """Whether a block on the shelf answers this need."""
        return block.node == self.node and block.pool_id in self.pool_ids


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class UnownedBlocks:
    """Wanted: blocks with room that belong to no node, in any of these pools."""

    pool_ids: tuple[int, ...]

    def suits(self, block: blocks.Block) -> bool:
        """Whether a block on the shelf answers this need."""
        return block.node is None and block.pool_id in self.pool_ids


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AnyBlocks:
    """Wanted: blocks with room of any of these pools, whoever they belong to."""

    pool_ids: tuple[int, ...]

    def suits(self, block: blocks.Block) -> bool:
        """Whether a block on the shelf answers this need."""
        return block.pool_id in self.pool_ids


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EmptyBlocks:
    """Wanted: blocks of a node of which no address is held or cooling, in any of these pools."""

    node: str
    pool_ids: tuple[int, ...]

    def suits(self, block: blocks.Block) -> bool:
        """Whether a block on the shelf answers this need."""
        return block.is_empty and block.node == self.node and block.pool_id in self.pool_ids


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class IdleBlocks:
    """Wanted: empty blocks of a pool that have belonged to another node for a while."""

    node: str
    pool_ids: tuple[int, ...]
    claimed_before: datetime.datetime

    def suits(self, block: blocks.Block) -> bool:
        """Whether a block on the shelf answers this need."""
        return (
            block.is_empty
            and block.node not in (None, self.node)
            and block.pool_id in self.pool_ids
            and block.claim_time <= self.claimed_before
        )


NEVER = 2**63 - 1  # a tick
Search = OwnBlocks | UnownedBlocks | AnyBlocks | EmptyBlocks | IdleBlocks


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KeptBlocks:
    """Wanted: blocks of a search in which addresses are cooling that an owner may have back."""

    owner: str
    within: Search

    def suits(self, block: blocks.Block) -> bool:
        """Whether a block on the shelf answers this need."""
        return self.within.suits(block) and bool(block.kept_for(self.owner))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StickyBlocks:
    """Wanted: blocks of any of these pools in which addresses are kept for an owner."""

    owner_key: str
    network: str
    interface: str
    pool_ids: tuple[int, ...]

    def suits(self, block: blocks.Block) -> bool:
        """Whether a block on the shelf answers this need."""
        return block.pool_id in self.pool_ids and any(map(self.wants, block.sticky))

    def wants(self, sticky: blocks.Sticky) -> bool:
        """Whether an address is kept for this owner, there."""
        return sticky.is_for(self.owner_key, self.network, self.interface)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CoolestBlock:
    """Wanted: the block of a search in which an address is ready first, if before a tick."""

    within: Search
    before: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BlockAt:
    """Wanted: the block with exactly this CIDR, if it is open."""

    cidr: addresses.Network


# What a batch can ask for before its decisions do.
Foreseen = OwnBlocks | BlockAt


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PoolFrontier:
    """Wanted: the right to open and close blocks of a pool."""

    pool_id: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OwnedCount:
    """Wanted: how many blocks a node owns in these pools, beside those on the shelf.

    And the right to add to them: until the transaction ends, nobody else does.
    """

    node: str
    pool_ids: tuple[int, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NodeLabels:
    """Wanted: the labels of a node."""

    node: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MoreRoom:
    """Wanted: whether blocks that are not on the shelf have room, locked by others or not.

    One look at all that these searches are about, so that an address which moves
    between two looks is not overlooked. Where there is none: what is cooling there, and
    how much is kept for owners, beside what is hidden of these pools anyway; and how much of
    that is held.
    """

    searches: tuple[Search, ...]
    # Says nothing that the pools of the searches do not say.
    hidden: tuple[addresses.RangeSet, ...] = dataclasses.field(default=(), compare=False)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HoldersOf:
    """Wanted: who holds these addresses, without a lock."""

    vrf: str
    addresses: tuple[addresses.Address, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HeldByOwner:
    """Wanted: what an owner holds beside an attachment, on its network and interface.

    Without a lock.
    """

    owner_key: str
    beside: model.AttachmentKey


Need = (
    Search
    | KeptBlocks
    | StickyBlocks
    | CoolestBlock
    | BlockAt
    | PoolFrontier
    | OwnedCount
    | NodeLabels
    | MoreRoom
    | HoldersOf
    | HeldByOwner
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What storage found for a need.

    `contended`: there are rows that would answer it, but they are locked by others
    or have changed while their lock was waited for. `count` and `ready_tick`: how
    many, and at which tick the first of what is counted is ready; `sticky_count`: how many
    are kept for owners; `hidden_count`: how many are held and hidden.
    """

    found: tuple[blocks.Block, ...] = ()
    frontier: blocks.Frontier | None = None
    held: tuple[model.Allocation, ...] = ()
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    count: int = 0
    ready_tick: int | None = None
    sticky_count: int = 0
    hidden_count: int = 0
    contended: bool = False
