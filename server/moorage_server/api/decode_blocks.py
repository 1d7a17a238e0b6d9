"""Messages about open blocks -> domain."""

import dataclasses

from moorage.v1 import pool_service_pb2 as messages
from moorage_server.api import decode_resources, limits, names, page_tokens
from moorage_server.api.violations import Violations
from moorage_server.domain import addresses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BlockListing:
    """One page of blocks: `size` from the one behind `after`; of every pool where it is empty."""

    vrf: str
    pool: str
    after: addresses.Network | None
    size: int


def listing(request: messages.ListBlocksRequest) -> BlockListing:
    """What ListBlocks asks for."""
    found = Violations()
    vrf, pool = _blocks_parent(found, request.parent)
    found.text("node", request.node, limits.TEXT_LENGTH)
    size = page_tokens.page_size(found, request.page_size)
    found.check()
    last_key = page_tokens.decode(request, request.page_token)
    # Whoever makes a token up may put anything in it.
    after = found.parsed("page_token", last_key, addresses.parse_network) if last_key else None
    found.check()
    return BlockListing(vrf=vrf, pool=pool, after=after, size=size)


def _blocks_parent(found: Violations, value: str) -> tuple[str, str]:
    """The VRF and the pool whose blocks are meant; no pool for those of all."""
    if value.count("/") <= 1:
        return names.parent(found, value), ""
    target = decode_resources.child_target(found, "parent", value, names.POOLS)
    return target.vrf, target.name
