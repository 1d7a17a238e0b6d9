"""What one transaction has locked, and what it has decided so far.

Placement says what it needs; storage locks rows and answers; the shelf keeps the
answers and the changes until storage writes them back.
"""

import dataclasses
from collections.abc import Callable, Iterator

from moorage_server.domain import addresses, blocks


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
class AnyBlock:
    """Wanted: blocks with room of a pool, whoever they belong to."""

    pool_id: int

    def suits(self, block: blocks.Block) -> bool:
        """Whether a block on the shelf answers this need."""
        return block.pool_id == self.pool_id


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BlockAt:
    """Wanted: the block with exactly this CIDR, if it was ever opened."""

    cidr: addresses.Network


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PoolFrontier:
    """Wanted: the right to open a block of a pool."""

    pool_id: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MoreRoom:
    """Wanted: whether blocks that are not on the shelf have room, locked by others or not.

    One look at all these pools, so that an address which moves between two looks
    is not overlooked.
    """

    pool_ids: tuple[int, ...]


Search = OwnBlocks | UnownedBlocks | AnyBlock
Need = Search | BlockAt | PoolFrontier | MoreRoom


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What storage found for a need.

    `contended`: there are rows that would answer it, but they are locked by others
    or have changed while their lock was waited for.
    """

    found: tuple[blocks.Block, ...] = ()
    frontier: blocks.Frontier | None = None
    contended: bool = False


class Shelf:
    """The locked blocks and frontiers of one VRF in one transaction.

    Changes are kept until `undo`, so that a request which cannot be completed
    leaves no trace while the others of its batch go on.
    """

    def __init__(self, hidden: tuple[addresses.Network, ...] = ()) -> None:
        """Begins empty; blocks in `hidden` ranges have nothing to give unasked."""
        self.hidden = hidden
        self.blocks: dict[addresses.Network, blocks.Block] = {}
        self.frontiers: dict[int, blocks.Frontier] = {}
        self.opened: set[addresses.Network] = set()
        self.changed: set[addresses.Network] = set()
        self.advanced: set[int] = set()
        self._answers: dict[Need, Answer] = {}
        self._asked: dict[Need, int] = {}
        self._undo: list[Callable[[], None]] = []

    def add(self, need: Need, answer: Answer) -> None:
        """Puts what storage locked on the shelf."""
        for block in answer.found:
            self.blocks.setdefault(block.cidr, block)
        if answer.frontier is not None:
            self.frontiers.setdefault(answer.frontier.pool_id, answer.frontier)
        self._answers[need] = answer
        self._asked[need] = self._asked.get(need, 0) + 1

    def exhausted(self, need: Need) -> bool:
        """Whether asking storage again cannot bring more."""
        answer = self._answers.get(need)
        return answer is not None and not answer.found

    def contended(self, need: Need) -> bool:
        """Whether the last answer left out rows that there are."""
        answer = self._answers.get(need)
        return answer is not None and answer.contended

    def asked(self, need: Need) -> int:
        """How often storage was asked this."""
        return self._asked.get(need, 0)

    def suitable(self, need: Search) -> Iterator[blocks.Block]:
        """Blocks on the shelf that answer a need, in order of address."""
        found = (block for block in self.blocks.values() if block.free and need.suits(block))
        return iter(sorted(found, key=lambda block: int(block.cidr.network_address)))

    def change(self, block: blocks.Block) -> None:
        """Puts a changed block in place of the one that was there."""
        before = self.blocks[block.cidr]
        self.blocks[block.cidr] = block
        known = block.cidr in self.changed
        self.changed.add(block.cidr)

        def restore() -> None:
            self.blocks[block.cidr] = before
            if not known:
                self.changed.discard(block.cidr)

        self._undo.append(restore)

    def open(self, index: int, block: blocks.Block) -> None:
        """Adds a block that no transaction has opened before."""
        before = self.frontiers[block.pool_id]
        known = block.pool_id in self.advanced
        self.frontiers[block.pool_id] = before.without(index)
        self.blocks[block.cidr] = block
        self.opened.add(block.cidr)
        self.advanced.add(block.pool_id)

        def restore() -> None:
            self.frontiers[block.pool_id] = before
            del self.blocks[block.cidr]
            self.opened.discard(block.cidr)
            if not known:
                self.advanced.discard(block.pool_id)

        self._undo.append(restore)

    def free_count(self, pool_id: int, block_size: int) -> int:
        """Free addresses in a pool's blocks on the shelf and in those never opened."""
        on_shelf = sum(len(b.free) for b in self.blocks.values() if b.pool_id == pool_id)
        unused = self.frontiers[pool_id].unused if pool_id in self.frontiers else ()
        return on_shelf + sum(stop - start for start, stop in unused) * block_size

    def keep(self) -> None:
        """The request is complete: its changes stay."""
        self._undo.clear()

    def undo(self) -> None:
        """The request failed: its changes never were."""
        while self._undo:
            self._undo.pop()()
