"""What a request may be given, by the rules alone."""

import ipaddress
from collections.abc import Iterator

from moorage.v1 import allocation_service_pb2 as requests
from moorage.v1 import resources_pb2 as messages
from properties import holdings
from properties.holdings import Address, Holdings, Network, Pool

VERSION = {messages.IP_FAMILY_IPV4: 4, messages.IP_FAMILY_IPV6: 6}
# An empty block of another node may be taken over when it was claimed a minute ago; around that
# minute the model does not know on which side of it the server looked.
MINUTE, UNSURE = 60.0, 10.0

Request = requests.AssignAddressesRequest
Fault = tuple[str, str]  # a reason, and the pool or address that it is about


def use_of(request: Request) -> int:
    """What the addresses are for."""
    return request.use or messages.USE_WORKLOAD


def named(now: Holdings, text: str) -> Pool | None:
    """The pool with this id or exactly this CIDR."""
    found = (each for each in now.pools.values() if text in (each.name, str(each.cidr)))
    return next(found, None)


def pools_for(now: Holdings, want: requests.AddressRequest, request: Request) -> list[Pool]:
    """The pools that a want without candidates draws from, in no particular order."""
    if want.pools:
        found = [named(now, text) for text in want.pools]
        return [each for each in found if each is not None]
    return [
        each
        for each in now.pools.values()
        if each.cidr.version == VERSION[want.family]
        and now.serves(each, request.workload, use_of(request)) is None
    ]


def rests(now: Holdings, address: Address, request: Request) -> bool:
    """Whether an address is cooling, and was another workload's."""
    was = now.cooling.get(address)
    if was is None:
        return False
    same_owner = bool(was.owner_key) and was.owner_key == request.owner_key
    return not same_owner and was.pod != request.workload.pod


def is_free(now: Holdings, address: Address, request: Request) -> bool:
    """Whether the request may be given an address without naming it."""
    taken = address in now.held or rests(now, address, request)
    return not taken and not now.is_hidden(address)


def is_ready(now: Holdings, address: Address, request: Request) -> bool:
    """Whether the request may be given an address before any that cools.

    One that cools its last owner is given back unasked, but only where nothing else is left.
    """
    return address not in now.cooling and is_free(now, address, request)


def is_takeable(now: Holdings, address: Address, request: Request) -> bool:
    """Whether the request may be given an address that it names."""
    if address in now.held or rests(now, address, request):
        return False
    return _stranger(now, address, request) is None


def cools(now: Holdings, address: Address, request: Request) -> bool:
    """Whether it is for its cool-down alone that the request cannot have an address it names."""
    return rests(now, address, request) and _stranger(now, address, request) is None


def owned_count(now: Holdings, want: requests.AddressRequest, request: Request) -> int:
    """How many blocks the node owns in the pools that serve the want."""
    cidrs = [each.cidr for each in pools_for(now, want, request) if each.affine]
    owned = [cidr for cidr, block in now.blocks.items() if block.node == request.workload.node]
    return sum(any(_inside(block, cidr) for cidr in cidrs) for block in owned)


def may_own_more(now: Holdings, want: requests.AddressRequest, request: Request) -> bool:
    """Whether a block may become the node's for the want; without a node none is counted."""
    below = owned_count(now, want, request) < now.configuration.limit
    return now.configuration.auto and (below or not request.workload.node)


def may_be_taken_over(now: Holdings, block: Network, node: str) -> bool:
    """Whether an open block of another may have become the node's."""
    if not now.is_empty(block) or not node:
        return False
    return now.owner_of(block) == "" or holdings.age(now.blocks[block]) > MINUTE - UNSURE


def must_be_takeable(now: Holdings, block: Network, node: str) -> bool:
    """Whether an open block of another can certainly be taken over."""
    owner = now.owner_of(block)
    return bool(
        owner and node and now.is_empty(block) and holdings.age(now.blocks[block]) > MINUTE + UNSURE
    )


def within_reach(
    now: Holdings, want: requests.AddressRequest, request: Request, *, new_blocks: bool
) -> Iterator[Address]:
    """Every address that the request can certainly be given.

    Without `new_blocks`, only from the node's own blocks, and open ones of nobody's pools.
    """
    for pool in pools_for(now, want, request):
        for block in pool.blocks():
            if _in_reach(now, pool, block, request.workload.node, new_blocks):
                yield from (each for each in block if is_free(now, each, request))


def _in_reach(now: Holdings, pool: Pool, block: Network, node: str, new_blocks: bool) -> bool:
    owner = now.owner_of(block)
    if owner is None:
        return new_blocks and (bool(node) or not now.configuration.strict or not pool.affine)
    if not pool.affine or (node and owner == node):
        return True
    return new_blocks and (not now.configuration.strict or must_be_takeable(now, block, node))


def faults_of(now: Holdings, request: Request) -> set[Fault]:
    """What is wrong with a request whatever is held: each of them must be refused."""
    found: set[Fault] = {("INVALID_REQUEST", "")} if _asks_twice(request) else set()
    for want in request.addresses:
        if want.candidate_addresses:
            for text in want.candidate_addresses:
                found |= _faults_of_candidate(now, ipaddress.ip_address(text), request)
        elif want.pools:
            for text in want.pools:
                found |= _faults_of_name(now, text, want, request)
        elif not pools_for(now, want, request):
            found.add(("NO_ELIGIBLE_POOL", ""))
    return found


def _asks_twice(request: Request) -> bool:
    """Whether two of the addresses can only be the same one."""
    only = [
        each.candidate_addresses[0]
        for each in request.addresses
        if len(each.candidate_addresses) == 1
    ]
    return len(set(only)) < len(only)


def mismatches_of(now: Holdings, request: Request) -> set[Fault]:
    """Candidates that lie in a block which is not the node's, under strict affinity."""
    candidates = [text for want in request.addresses for text in want.candidate_addresses]
    found = [(text, _stranger(now, ipaddress.ip_address(text), request)) for text in candidates]
    return {("BLOCK_AFFINITY_MISMATCH", text) for text, stranger in found if stranger is not None}


def _stranger(now: Holdings, address: Address, request: Request) -> str | None:
    pool = now.pool_of(address)
    if pool is None or not pool.affine or not now.configuration.strict:
        return None
    owner = now.owner_of(holdings.block_at(address, pool.block_size))
    return None if owner in (None, request.workload.node) else owner


def _faults_of_name(
    now: Holdings, text: str, want: requests.AddressRequest, request: Request
) -> set[Fault]:
    pool = named(now, text)
    if pool is None:
        return {("POOL_NOT_FOUND", text)}
    if pool.cidr.version != VERSION[want.family]:
        return {("POOL_FAMILY_MISMATCH", pool.name)}
    return _faults_of_pool(pool, request)


def _faults_of_candidate(now: Holdings, address: Address, request: Request) -> set[Fault]:
    pool = now.pool_of(address)
    if pool is None:
        return {("ADDRESS_NOT_IN_POOL", str(address))}
    found = _faults_of_pool(pool, request)
    return found | ({("ADDRESS_EXCLUDED", str(address))} if address in pool.kept else set())


def _faults_of_pool(pool: Pool, request: Request) -> set[Fault]:
    rules = {
        "POOL_DISABLED": pool.disabled,
        "POOL_DRAINING": pool.draining,
        "POOL_USE_NOT_ALLOWED": use_of(request) not in pool.uses,
    }
    return {(reason, pool.name) for reason, applies in rules.items() if applies}


def _inside(block: Network, cidr: Network) -> bool:
    return block.version == cidr.version and block[0] in cidr
