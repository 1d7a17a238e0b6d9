"""What a request is decided in, and the form that a decision has.

A decision is a conversation: a generator that yields what it needs to see, is
resumed when that is on the shelf, and returns what it came to. It touches nothing
but the shelf, so it runs as well in a test as in a transaction.
"""

import dataclasses
from collections.abc import Generator
from typing import TypeVar

from moorage_server.domain import addresses, blocks, catalog, model, needs, resources, shelf
from moorage_server.domain.eligibility import Asker
from moorage_server.domain.offers import Offer

T = TypeVar("T")
Conversation = Generator[needs.Need, None, T]


class Contended(Exception):
    """Rows that may decide the request are locked, or have just been changed, by another.

    A turn of events, not an error: the request is tried again, alone and waiting.
    """


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Where one address comes from; `yielded` where it is still cooling."""

    offer: Offer
    block: addresses.Network
    address: addresses.Address
    yielded: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Who would wait for a predecessor; `sticky_owner` is empty where it is not sticky."""

    attachment: model.AttachmentKey
    sticky_owner: str = ""

    @classmethod
    def of(cls, request: model.AssignRequest) -> "Patience | None":
        """The patience of a request, if it has any."""
        if not request.wait:
            return None
        sticky_owner = request.facts.owner_key if request.facts.sticky else ""
        return cls(attachment=request.attachment, sticky_owner=sticky_owner)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Whom a request is for, and what there is."""

    pools: catalog.Catalog
    asker: Asker
    shelf: shelf.Shelf
    patience: Patience | None = None

    @property
    def node(self) -> str:
        """The node that asks; empty where unknown."""
        return self.asker.workload.node

    @property
    def configuration(self) -> resources.VrfConfiguration:
        """How the VRF deals out its blocks."""
        return self.pools.configuration

    def frontier(self, each: Offer) -> Conversation[blocks.Frontier]:
        """The frontier of a pool, locked; raises Contended."""
        return (yield from frontier(each, self.shelf))

    def block_at(self, each: Offer, index: int) -> Conversation[blocks.Block]:
        """The block of a pool with this index, opened where it was not; raises Contended."""
        cidr = each.block(index)
        need = needs.BlockAt(cidr=cidr)
        if not self.shelf.knows(cidr):
            yield need
        block = self.shelf.block(cidr)
        if block is not None:
            return block
        if self.shelf.contended(need):
            raise Contended
        frontier = yield from self.frontier(each)
        if index not in frontier:
            raise Contended  # somebody has opened it since we looked
        return self.open(each, index)

    def open(self, each: Offer, index: int) -> blocks.Block:
        """Opens a block of a pool whose frontier is locked; it is the node's, if any's."""
        node = self.node if each.affine and self.node else None
        block = blocks.fresh(each.pool_id, each.block(index), node, self.shelf.now)
        self.shelf.open(index, block)
        return block

    def take(
        self, each: Offer, block: blocks.Block, ordinal: int, *, yielded: bool = False
    ) -> Placed:
        """Takes an address from a block."""
        self.shelf.change(block.without(ordinal))
        return Placed(offer=each, block=block.cidr, address=block.address(ordinal), yielded=yielded)

    def take_first(self, block: blocks.Block) -> Placed | None:
        """Takes the first free address of a block, past hidden ones."""
        offer = self.pools.by_id(block.pool_id)
        ordinal = block.first_free(offer.hidden)
        return None if ordinal is None else self.take(offer, block, ordinal)


def frontier(each: Offer, on: shelf.Shelf) -> Conversation[blocks.Frontier]:
    """The frontier of a pool, locked; raises Contended."""
    if on.frontier(each.pool_id) is None:
        yield needs.PoolFrontier(pool_id=each.pool_id)
    locked = on.frontier(each.pool_id)
    if locked is None:
        raise Contended
    return locked
