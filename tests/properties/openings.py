"""How the blocks that are open may change from one call to the next, and what is in them."""

import dataclasses
import ipaddress
from collections.abc import Mapping

from moorage.v1 import resources_pb2 as messages
from properties import eligibility
from properties.holdings import Holdings, Network, Pool

Blocks = Mapping[Network, messages.Block]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cause:
    """What has just been done, as far as blocks are concerned.

    `given`: the blocks of the addresses that were assigned, `families` their families; `emptied`:
    the blocks of those that were released; `drained`, `deleted`: a pool; `forgotten`: a node;
    `aged`: every block was claimed longer ago.
    """

    node: str = ""
    given: frozenset[Network] = frozenset()
    emptied: frozenset[Network] = frozenset()
    families: frozenset[int] = frozenset()
    drained: str = ""
    deleted: str = ""
    forgotten: str = ""
    aged: bool = False


def parsed(blocks: list[messages.Block]) -> dict[Network, messages.Block]:
    """Blocks by their range."""
    return {ipaddress.ip_network(each.cidr): each for each in blocks}


def check(now: Holdings, before: Blocks, after: Blocks, cause: Cause) -> None:
    """Judges what a call made of the open blocks; `now` is what is held after it."""
    for cidr in after.keys() - before.keys():
        _check_opened(now, cidr, after[cidr], cause)
    for cidr in before.keys() - after.keys():
        _check_gone(now, cidr, before[cidr].node, cause)
    for cidr in before.keys() & after.keys():
        if before[cidr].node != after[cidr].node:
            _check_changed_hands(now, before[cidr], after[cidr], cause)
    for cidr, block in after.items():
        _check_kept(now, cidr, block, cause)
        _check_counts(now, cidr, block)
    for address in (*now.held, *now.cooling):
        assert now.block_of(address) in after, f"the block of {address} is not open"


def _check_opened(now: Holdings, cidr: Network, block: messages.Block, cause: Cause) -> None:
    pool = _pool(now, cidr)
    assert cidr in cause.given, f"{cidr} was opened for nothing"
    assert cidr.prefixlen == pool.block_size, f"{cidr} is not of the block size of {pool.name}"
    owner = cause.node if pool.affine else ""
    assert block.node == owner, f'{cidr} was opened by "{cause.node}", and is of "{block.node}"'
    assert block.pool.endswith(f"/{pool.name}")


def _check_gone(now: Holdings, cidr: Network, owner: str, cause: Cause) -> None:
    assert now.is_empty(cidr), f"{cidr} is gone, and not empty"
    pool = next((each for each in now.pools.values() if cidr[0] in each.cidr), None)
    if pool is None:
        assert cause.deleted, f"{cidr} is in no pool"
        return
    reasons = {
        "it belonged to no node": not owner,
        "its node was deleted": owner == cause.forgotten,
        "its pool was drained": cause.drained == pool.name,
        "its pool does not select its node": not pool.selects(now.labels_of(owner)),
    }
    assert any(reasons.values()), f'{cidr} of "{owner}" is gone for no reason'


def _check_changed_hands(
    now: Holdings, was: messages.Block, block: messages.Block, cause: Cause
) -> None:
    cidr = ipaddress.ip_network(block.cidr)
    if block.node:
        assert cidr in cause.given, f"{cidr} changed hands for nothing"
        assert block.node == cause.node, f"{cidr} went to a node that did not ask"
        others = [each for each in cidr if each in now.cooling]
        others += [each for each in cidr if each in now.held and not _is_new(now, each, cause)]
        assert not others, f"{cidr} was taken over, and {others[0]} is in use"
        old = not was.node or eligibility.may_be_taken_over(_blank(now, was), cidr, cause.node)
        assert old, f"{cidr} was taken over too early"
    else:
        lost = {cause.forgotten: was.node, cause.drained: _pool(now, cidr).name}
        unselected = not _pool(now, cidr).selects(now.labels_of(was.node))
        given_up = any(key and key == value for key, value in lost.items()) or unselected
        assert given_up, f"{cidr} was taken from {was.node}"


def _is_new(
    now: Holdings, address: ipaddress.IPv4Address | ipaddress.IPv6Address, cause: Cause
) -> bool:
    return now.held[address].workload.node == cause.node


def _blank(now: Holdings, was: messages.Block) -> Holdings:
    """As before the call: the block with its old owner and nothing in it."""
    cidr = ipaddress.ip_network(was.cidr)
    return Holdings(pools=now.pools, blocks={cidr: was})


def _check_kept(now: Holdings, cidr: Network, block: messages.Block, cause: Cause) -> None:
    pool = _pool(now, cidr)
    if cause.forgotten:
        assert block.node != cause.forgotten, f"{cidr} is of a node that was deleted"
    if cause.drained == pool.name:
        assert not block.node, f"{cidr} of a draining pool is of {block.node}"
    if not pool.affine or not now.is_empty(cidr):
        return
    assert block.node or cidr in now.thawed, f"{cidr} is empty and of no node"
    if not block.node or pool.selects(now.labels_of(block.node)):
        return
    assert cidr not in cause.emptied, f"{cidr} is empty, and its pool does not select its node"
    asked = cidr.version in cause.families and block.node == cause.node
    # A node's blocks are looked through once, until something is configured anew: housekeeping
    # finds what has become empty since because an address had cooled down.
    asked = asked and not pool.disabled and not pool.draining and cidr not in now.thawed
    assert not asked, f"{block.node} kept {cidr}, although its pool does not select it"


def _check_counts(now: Holdings, cidr: Network, block: messages.Block) -> None:
    assert block.counts == counted(now, cidr), f"{cidr}: {block.counts} is not what is held"


def counted(now: Holdings, cidr: Network) -> messages.AddressCounts:
    """What the addresses of a range are."""
    free = sum(
        each not in now.held and each not in now.cooling and not now.is_hidden(each)
        for each in cidr
    )
    return messages.AddressCounts(
        capacity_count=cidr.num_addresses,
        assigned_count=sum(each in now.held for each in cidr),
        cooling_count=sum(each in now.cooling for each in cidr),
        reserved_count=sum(now.is_hidden(each) for each in cidr),
        available_count=free,
    )


def _pool(now: Holdings, cidr: Network) -> Pool:
    pool = now.pool_of(cidr[0])
    assert pool is not None, f"{cidr} is in no pool"
    return pool
