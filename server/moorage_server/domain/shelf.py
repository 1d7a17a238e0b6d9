"""What one transaction has locked, and what it has decided so far.

A decision keeps its blocks here: what it needs and does not see, it asks for
(`needs`); storage locks rows and answers; the shelf keeps the answers and the
changes until storage writes them back.
"""

import datetime
from collections.abc import Callable, Collection, Iterator
from typing import TypeVar

from moorage_server.domain import addresses, blocks
from moorage_server.domain.needs import Answer, Need, Search

K = TypeVar("K")
V = TypeVar("V")


class Shelf:
    """The locked blocks and frontiers of one VRF in one transaction.

    Changes are kept until `undo`, so that a request which cannot be completed
    leaves no trace while the others of its batch go on.
    """

    def __init__(
        self,
        now: datetime.datetime,
        tick: int,
        hidden: tuple[addresses.Network, ...] = (),
    ) -> None:
        """Begins empty; blocks in `hidden` ranges have nothing to give unasked.

        `tick` is what cool-downs are measured in; `now`, which may be set, is for people,
        and for how long a block has belonged to a node.
        """
        self.now = now
        self.tick = tick
        self.hidden = hidden
        self._blocks: dict[addresses.Network, blocks.Block | None] = {}
        self._frontiers: dict[int, blocks.Frontier] = {}
        self._stored: set[addresses.Network] = set()
        self._touched: dict[addresses.Network, None] = {}
        self._advanced: dict[int, None] = {}
        self._answers: dict[Need, Answer] = {}
        self._asked: dict[Need, int] = {}
        self._known_then: dict[Need, int] = {}
        self._undo: list[Callable[[], object]] = []

    def add(self, need: Need, answer: Answer) -> None:
        """Puts what storage locked on the shelf."""
        for block in answer.found:
            self._stored.add(block.cidr)
            self._blocks.setdefault(block.cidr, block.at(self.tick))
        if answer.frontier is not None:
            self._frontiers.setdefault(answer.frontier.pool_id, answer.frontier)
        self._answers[need] = answer
        self._asked[need] = self._asked.get(need, 0) + 1
        self._known_then[need] = len(self._blocks)

    def answer(self, need: Need) -> Answer:
        """The last answer to a need; an empty one where it was never asked."""
        return self._answers.get(need, Answer())

    def exhausted(self, need: Need) -> bool:
        """Whether asking storage again cannot bring more."""
        answer = self._answers.get(need)
        return answer is not None and not answer.found

    def contended(self, need: Need) -> bool:
        """Whether the last answer left out rows that there are."""
        return self.answer(need).contended

    def time_of(self, tick: int) -> datetime.datetime:
        """About when a tick will be reached: not before, and later where no server runs."""
        return self.now + datetime.timedelta(seconds=tick - self.tick)

    def asked(self, need: Need) -> int:
        """How often storage was asked this."""
        return self._asked.get(need, 0)

    def is_outdated(self, need: Need) -> bool:
        """Whether storage was never asked this, or has told of further blocks since."""
        return self._known_then.get(need) != len(self._blocks)

    def knows(self, cidr: addresses.Network) -> bool:
        """Whether what there is to know of a block is on the shelf: it, or that it was closed."""
        return cidr in self._blocks

    def known(self) -> Collection[addresses.Network]:
        """Every block of which this is so."""
        return self._blocks.keys()

    def block(self, cidr: addresses.Network) -> blocks.Block | None:
        """The block with this CIDR, if it is on the shelf and open."""
        return self._blocks.get(cidr)

    def open_blocks(self) -> Iterator[blocks.Block]:
        """The open blocks on the shelf."""
        return (block for block in self._blocks.values() if block is not None)

    def frontier(self, pool_id: int) -> blocks.Frontier | None:
        """The frontier of a pool, if it is on the shelf."""
        return self._frontiers.get(pool_id)

    def suitable(self, need: Search) -> Iterator[blocks.Block]:
        """Blocks on the shelf that answer a need, in order of address."""
        found = (block for block in self.open_blocks() if block.free and need.suits(block))
        return iter(sorted(found, key=lambda block: int(block.cidr.network_address)))

    def change(self, block: blocks.Block) -> None:
        """Puts a changed block in place of the one that was there."""
        self._set(self._blocks, block.cidr, block)
        self._set(self._touched, block.cidr, None)

    def open(self, index: int, block: blocks.Block) -> None:
        """Adds a block that was not open; its pool's frontier is on the shelf."""
        self.change(block)
        self._advance(self._frontiers[block.pool_id].without(index))

    def close(self, index: int, block: blocks.Block) -> None:
        """Takes an empty block away; its pool's frontier is on the shelf."""
        self._set(self._blocks, block.cidr, None)
        self._set(self._touched, block.cidr, None)
        self._advance(self._frontiers[block.pool_id].with_closed(index))

    def opened(self) -> list[blocks.Block]:
        """The blocks to be written that have no row."""
        return [block for block in self._written() if block.cidr not in self._stored]

    def changed(self) -> list[blocks.Block]:
        """The blocks to be written that have one."""
        return [block for block in self._written() if block.cidr in self._stored]

    def closed(self) -> list[addresses.Network]:
        """The blocks whose rows are to be removed."""
        gone = [cidr for cidr in self._touched if self._blocks[cidr] is None]
        return sorted((cidr for cidr in gone if cidr in self._stored), key=_order)

    def advanced(self) -> list[blocks.Frontier]:
        """The frontiers to be written."""
        return [self._frontiers[each] for each in sorted(self._advanced)]

    def keep(self) -> None:
        """The request is complete: its changes stay."""
        self._undo.clear()

    def undo(self) -> None:
        """The request failed: its changes never were."""
        while self._undo:
            self._undo.pop()()

    def _written(self) -> list[blocks.Block]:
        found = [block for cidr in self._touched if (block := self._blocks[cidr]) is not None]
        return sorted(found, key=lambda block: _order(block.cidr))

    def _advance(self, frontier: blocks.Frontier) -> None:
        self._set(self._frontiers, frontier.pool_id, frontier)
        self._set(self._advanced, frontier.pool_id, None)

    def _set(self, table: dict[K, V], key: K, value: V) -> None:
        if key in table:
            before = table[key]
            self._undo.append(lambda: table.__setitem__(key, before))
        else:
            self._undo.append(lambda: table.pop(key))
        table[key] = value


def _order(cidr: addresses.Network) -> tuple[int, int]:
    return cidr.version, int(cidr.network_address)
