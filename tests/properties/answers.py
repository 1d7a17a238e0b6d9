"""Whether an answer to AssignAddresses or ReleaseAddresses may be what it is."""

import dataclasses
import ipaddress

from moorage.v1 import allocation_service_pb2 as requests
from moorage.v1 import resources_pb2 as messages
from properties import eligibility, refusals
from properties.holdings import Address, Holdings, Network, Pool, block_at
from properties.service import Refused


def check_assign(
    now: Holdings,
    request: requests.AssignAddressesRequest,
    answer: requests.AssignAddressesResponse | Refused,
) -> None:
    """Judges an answer by what was held before it."""
    held = now.containers.get(request.attachment.container_id)
    faults = eligibility.faults_of(now, request)
    if isinstance(answer, Refused):
        refusals.check(now, request, answer, faults)
    elif held is not None:
        assert list(answer.allocations) == held, "the same call again is answered differently"
    else:
        assert not faults, f"must be refused: {sorted(faults)}"
        assert len(answer.allocations) == len(request.addresses), "not as many as were asked for"
        given = [ipaddress.ip_address(each.address) for each in answer.allocations]
        assert len(set(given)) == len(given), "one address twice"
        found = _after_fixed(now, request, answer)
        for want, allocation in zip(request.addresses, answer.allocations, strict=True):
            _check_allocation(found, request, want, allocation)


def check_release(
    now: Holdings,
    request: requests.ReleaseAddressesRequest,
    answer: requests.ReleaseAddressesResponse,
    *,
    late: bool,
) -> None:
    """A release frees exactly what its guards let it; one that began too early, nothing."""
    held = [] if late else now.containers.get(request.attachment.container_id, [])
    guards = set(request.generations)
    due = [each for each in held if not guards or each.generation in guards]
    released = sorted(each.address for each in answer.allocations)
    assert released == sorted(each.address for each in due), "not what its guards let it free"


def _after_fixed(
    now: Holdings,
    request: requests.AssignAddressesRequest,
    answer: requests.AssignAddressesResponse,
) -> Holdings:
    """What automatic addresses are drawn from: fixed ones go first, and open blocks for the node.

    They do whatever the limits on blocks are, and the node owns these blocks already when the
    others are looked for.
    """
    pairs = zip(request.addresses, answer.allocations, strict=True)
    fixed = [ipaddress.ip_address(got.address) for want, got in pairs if want.candidate_addresses]
    blocks = {now.block_of(each) for each in fixed} - now.blocks.keys()
    opened = {each: messages.Block(node=request.workload.node) for each in blocks if each}
    return dataclasses.replace(now, blocks={**now.blocks, **opened})


def _check_allocation(
    now: Holdings,
    request: requests.AssignAddressesRequest,
    want: requests.AddressRequest,
    allocation: messages.Allocation,
) -> None:
    address = ipaddress.ip_address(allocation.address)
    pool = now.pool_of(address)
    assert pool is not None, f"{address} is in no pool"
    assert address.version == eligibility.VERSION[want.family], f"{address} is of another family"
    assert address not in now.held, f"{address} is held already"
    assert address not in pool.kept, f"{address} is excluded"
    assert not eligibility.rests(now, address, request), f"{address} is cooling for another"
    assert allocation.generation > now.generations.get(address, 0), "the generation does not grow"
    assert allocation.pool.endswith(f"/{pool.name}"), f"{address} is of pool {pool.name}"
    block = block_at(address, pool.block_size)
    assert allocation.block == str(block), f"{address} is in block {block}"
    assert allocation.attachment == request.attachment
    assert allocation.workload.pod == request.workload.pod
    if want.candidate_addresses:
        _check_fixed(now, request, want, address)
    else:
        _check_automatic(now, request, want, address)


def _check_fixed(
    now: Holdings,
    request: requests.AssignAddressesRequest,
    want: requests.AddressRequest,
    address: Address,
) -> None:
    candidates = [ipaddress.ip_address(each) for each in want.candidate_addresses]
    assert address in candidates, f"{address} was not asked for"
    if len(request.addresses) == 1:
        before = candidates[: candidates.index(address)]
        free = [each for each in before if eligibility.is_takeable(now, each, request)]
        assert not free, f"{free[0]} was free and comes first"
    block = now.block_of(address)
    assert block is not None
    if _is_strict(now, address) and block in now.blocks:
        assert now.blocks[block].node == request.workload.node, f"{block} is not the node's"


def _check_automatic(
    now: Holdings,
    request: requests.AssignAddressesRequest,
    want: requests.AddressRequest,
    address: Address,
) -> None:
    pool, node = now.pool_of(address), request.workload.node
    assert pool in eligibility.pools_for(now, want, request), f"{address} is of no eligible pool"
    assert not now.is_reserved(address), f"{address} is reserved"
    if address in now.cooling and len(request.addresses) == 1:
        _check_nothing_else(now, request, address)
    block = block_at(address, pool.block_size)
    if not pool.affine or not node:
        return
    if now.owner_of(block) != node:
        _check_other_block(now, request, pool, block)


def _check_nothing_else(
    now: Holdings, request: requests.AssignAddressesRequest, given: Address
) -> None:
    """An address that cools is given back unasked only where nothing else is left."""
    want = request.addresses[0]
    new_blocks = eligibility.may_own_more(now, want, request)
    reach = eligibility.within_reach(now, want, request, new_blocks=new_blocks)
    ready = [each for each in reach if eligibility.is_ready(now, each, request)]
    assert not ready, f"{given} is cooling, and {ready[0]} was free"


def _check_other_block(
    now: Holdings, request: requests.AssignAddressesRequest, pool: Pool, block: Network
) -> None:
    """An automatic address from a block that was not the node's before."""
    node, configuration = request.workload.node, now.configuration
    if configuration.strict and block in now.blocks:
        may = eligibility.may_be_taken_over(now, block, node)
        assert may, f"affinity is strict, and {block} is not of {node}"
    if block not in now.blocks or configuration.strict:
        assert configuration.auto, f"{block} was opened although the VRF opens none by itself"
    if len(request.addresses) == 1:
        _check_no_own_room(now, request, block)
        fresh = block not in now.blocks or configuration.strict
        owned = eligibility.owned_count(now, request.addresses[0], request)
        assert not fresh or owned < configuration.limit, f"{node} owns {owned} blocks already"


def _check_no_own_room(
    now: Holdings, request: requests.AssignAddressesRequest, given: Network
) -> None:
    """Own blocks come first, among pools of one priority, or among those that were named."""
    want, node = request.addresses[0], request.workload.node
    rank = _rank(now, want, given[0])
    for pool in eligibility.pools_for(now, want, request):
        if not pool.affine or (not want.pools and pool.priority < rank):
            continue
        selected = pool.selects(now.labels_of(node))
        for block in pool.blocks():
            # An empty one of a pool that does not select the node is given up before.
            if now.owner_of(block) == node and (selected or not now.is_empty(block)):
                room = [each for each in block if eligibility.is_ready(now, each, request)]
                assert not room, f"{room[0]} was free in {block}, which is {node}'s own"


def _rank(now: Holdings, want: requests.AddressRequest, address: Address) -> int:
    pool = now.pool_of(address)
    return 0 if pool is None or want.pools else pool.priority


def _is_strict(now: Holdings, address: Address) -> bool:
    pool = now.pool_of(address)
    return now.configuration.strict and pool is not None and pool.affine
