"""Whether a refusal of AssignAddresses is justified by what is held."""

import ipaddress

from moorage.v1 import allocation_service_pb2 as requests
from properties import eligibility
from properties.eligibility import Fault, Request
from properties.holdings import Holdings
from properties.service import Refused

# The metadata that names what a fault is about; empty where it is the whole request.
ABOUT = {
    "INVALID_REQUEST": "",
    "NO_ELIGIBLE_POOL": "",
    "POOL_NOT_FOUND": "pool",
    "POOL_FAMILY_MISMATCH": "pool",
    "POOL_DISABLED": "pool",
    "POOL_DRAINING": "pool",
    "POOL_USE_NOT_ALLOWED": "pool",
    "ADDRESS_NOT_IN_POOL": "address",
    "ADDRESS_EXCLUDED": "address",
    "BLOCK_AFFINITY_MISMATCH": "address",
}


def check(now: Holdings, request: Request, refused: Refused, faults: set[Fault]) -> None:
    """A refusal names a fault that there is; or else what is full really is."""
    if request.attachment.container_id in now.containers:
        held = now.containers[request.attachment.container_id]
        assert refused.reason == "ATTACHMENT_CHANGED" or faults, "the same call again is refused"
        assert not _satisfied(now, request), f"{held} is what was asked for"
        return
    faults = faults | eligibility.mismatches_of(now, request)
    if refused.reason in ABOUT:
        about = refused.metadata.get(ABOUT[refused.reason], "")
        assert (refused.reason, about) in faults, f"{about} is none of {sorted(faults)}"
        return
    assert refused.reason in _JUSTIFIED, f"nothing can justify it: {refused.message}"
    justified = [_JUSTIFIED[refused.reason](now, want, request) for want in request.addresses]
    assert any(justified), "nothing that is held justifies it"


def _satisfied(now: Holdings, request: Request) -> bool:
    held = now.containers[request.attachment.container_id]
    if len(held) != len(request.addresses):
        return False
    for want, each in zip(request.addresses, held, strict=True):
        address = ipaddress.ip_address(each.address)
        if address.version != eligibility.VERSION[want.family]:
            return False
        if want.candidate_addresses and each.address not in want.candidate_addresses:
            return False
        pools = [eligibility.named(now, text) for text in want.pools]
        if pools and now.pool_of(address) not in pools:
            return False
    return True


def _in_use(now: Holdings, want: requests.AddressRequest, request: Request) -> bool:
    candidates = [ipaddress.ip_address(text) for text in want.candidate_addresses]
    others = {
        text for each in request.addresses if each is not want for text in each.candidate_addresses
    }
    resting = [each for each in candidates if eligibility.cools(now, each, request)]
    taken = [each for each in candidates if each in now.held or str(each) in others]
    unfit = [each for each in candidates if not eligibility.is_takeable(now, each, request)]
    return bool(taken) and not resting and set(taken) | set(unfit) == set(candidates)


def _cooling_address(now: Holdings, want: requests.AddressRequest, request: Request) -> bool:
    candidates = [ipaddress.ip_address(text) for text in want.candidate_addresses]
    resting = [each for each in candidates if eligibility.cools(now, each, request)]
    free = [each for each in candidates if eligibility.is_takeable(now, each, request)]
    return bool(resting) and (not free or len(request.addresses) > 1)


def _exhausted(now: Holdings, want: requests.AddressRequest, request: Request) -> bool:
    if want.candidate_addresses:
        return False
    free = set(eligibility.within_reach(now, want, request, new_blocks=True))
    return len(free) < _wanted(want, request)


def _cooling_pool(now: Holdings, want: requests.AddressRequest, request: Request) -> bool:
    if want.candidate_addresses:
        return False
    resting = [
        each
        for pool in eligibility.pools_for(now, want, request)
        for each in pool.cidr
        if each in now.cooling and not now.is_hidden(each)
    ]
    new_blocks = eligibility.may_own_more(now, want, request)
    free = set(eligibility.within_reach(now, want, request, new_blocks=new_blocks))
    return bool(resting) and len(free) < _wanted(want, request)


def _limited(now: Holdings, want: requests.AddressRequest, request: Request) -> bool:
    if want.candidate_addresses or not request.workload.node:
        return False
    wanted = _wanted(want, request)
    owned = eligibility.owned_count(now, want, request) + wanted - 1
    return owned >= now.configuration.limit and _own_room(now, want, request) < wanted


def _switched_off(now: Holdings, want: requests.AddressRequest, request: Request) -> bool:
    if want.candidate_addresses or now.configuration.auto:
        return False
    return _own_room(now, want, request) < _wanted(want, request)


def _own_room(now: Holdings, want: requests.AddressRequest, request: Request) -> int:
    """How many addresses there are in the node's own blocks, and in open ones of nobody's pools."""
    return sum(
        eligibility.is_free(now, each, request)
        for pool in eligibility.pools_for(now, want, request)
        for block in pool.blocks()
        if block in now.blocks and (not pool.affine or now.owner_of(block) == request.workload.node)
        for each in block
    )


def _wanted(want: requests.AddressRequest, request: Request) -> int:
    """How many addresses of the family the request wants; it may take them from itself."""
    return sum(each.family == want.family for each in request.addresses)


_JUSTIFIED = {
    "ADDRESS_IN_USE": _in_use,
    "ADDRESS_COOLING": _cooling_address,
    "POOL_EXHAUSTED": _exhausted,
    "POOL_COOLING": _cooling_pool,
    "BLOCK_LIMIT_REACHED": _limited,
    "BLOCK_ALLOCATION_DISABLED": _switched_off,
}
