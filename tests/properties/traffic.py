"""Steps that pods take: assigns, repeats and releases, each with its answer judged."""

from moorage.v1 import allocation_service_pb2 as requests
from moorage.v1 import resources_pb2 as messages
from properties import answers, ground, openings
from properties.openings import Cause
from properties.service import Refused
from properties.walk import Walk


def assign(walk: Walk) -> Cause:
    """A pod asks; sometimes one that holds addresses already, or whose release came later."""
    pod = walk.chance.choice(ground.PODS)
    request = requests.AssignAddressesRequest(
        attachment=_attachment(f"{pod}-{walk.chance.choice('ab')}"),
        addresses=ground.wants(walk.chance, walk.now),
        workload=messages.Workload(
            node=walk.chance.choice((*ground.NODES, *ground.NODES, "")),
            namespace="shop",
            pod=pod,
            namespace_labels=walk.chance.choice(ground.TEAMS),
        ),
        use=walk.chance.choice((messages.USE_UNSPECIFIED, *ground.USES, *ground.USES[:1])),
        owner_key=pod if int(pod[4:]) % 3 == 0 else "",
        attempt=walk.tick(),
    )
    container = request.attachment.container_id
    if container in walk.tombstones and walk.chance.random() < 0.05:
        request.attempt.boot_time_ns = walk.tombstones[container]
        answer = walk.send(request, requests.AssignAddressesResponse)
        assert isinstance(answer, Refused), "the release came later"
        assert answer.reason == "ATTACHMENT_RELEASED", "the release came later"
        return Cause()
    return _assign(walk, request)


def repeat(walk: Walk) -> Cause:
    """The same call again."""
    container = walk.some_holder()
    if container is None:
        return assign(walk)
    # A copy: a refused attempt is not remembered, so what fences releases stays as it was.
    again = requests.AssignAddressesRequest()
    again.CopyFrom(walk.last[container])
    again.attempt.CopyFrom(walk.tick())
    return _assign(walk, again)


def release(walk: Walk) -> Cause:
    """A container is gone; sometimes told twice, or told of one that never was."""
    container = walk.some_holder()
    if container is None or walk.chance.random() < 0.1:
        container = f"{walk.chance.choice(ground.PODS)}-{walk.chance.choice('ab')}"
    return _release(walk, container, attempt=walk.tick())


def guarded_release(walk: Walk) -> Cause:
    """A release that names generations, some of them of earlier holders."""
    container = walk.some_holder()
    if container is None:
        return release(walk)
    mine = [each.generation for each in walk.now.containers[container]]
    others = sorted({each for each in walk.now.generations.values() if each not in mine})
    known = [*mine, *(each - 1 for each in mine if each > 1), *others]
    guards = walk.chance.sample(known, min(len(known), walk.chance.choice((1, 1, 2, 3))))
    return _release(walk, container, guards=guards, attempt=walk.tick())


def late_release(walk: Walk) -> Cause:
    """A release that began before the addresses were assigned."""
    container = walk.some_holder()
    if container is None or walk.last[container].attempt.boot_time_ns < 2:
        return release(walk)
    stamp = messages.AttemptStamp(boot_id="boot")
    stamp.boot_time_ns = walk.last[container].attempt.boot_time_ns - 1
    return _release(walk, container, attempt=stamp, late=True)


def _attachment(container: str) -> messages.Attachment:
    return messages.Attachment(network="pods", container_id=container, interface="eth0")


def _assign(walk: Walk, request: requests.AssignAddressesRequest) -> Cause:
    container = request.attachment.container_id
    held = container in walk.now.containers
    answer = walk.send(request, requests.AssignAddressesResponse)
    answers.check_assign(walk.now, request, answer)
    if isinstance(answer, Refused):
        return Cause()
    if held:
        walk.last[container].attempt.CopyFrom(request.attempt)
        return Cause()
    walk.last[container] = request
    walk.tombstones.pop(container, None)
    walk.now.hold(container, list(answer.allocations))
    blocks = openings.parsed([messages.Block(cidr=each.block) for each in answer.allocations])
    automatic = [each for each in request.addresses if not each.candidate_addresses]
    return Cause(
        node=request.workload.node,
        given=frozenset(blocks),
        families=frozenset(
            6 if each.family == messages.IP_FAMILY_IPV6 else 4 for each in automatic
        ),
    )


def _release(
    walk: Walk,
    container: str,
    *,
    attempt: messages.AttemptStamp,
    guards: list[int] | None = None,
    late: bool = False,
) -> Cause:
    request = requests.ReleaseAddressesRequest(
        attachment=_attachment(container), generations=guards, attempt=attempt
    )
    answer = walk.send(request, requests.ReleaseAddressesResponse)
    assert not isinstance(answer, Refused), f"a release is refused: {answer}"
    answers.check_release(walk.now, request, answer, late=late)
    if not answer.allocations:
        return Cause()
    walk.now.free(container, list(answer.allocations))
    if container not in walk.now.containers:
        walk.tombstones[container] = attempt.boot_time_ns
    blocks = openings.parsed([messages.Block(cidr=each.block) for each in answer.allocations])
    walk.now.thawed -= set(blocks)
    return Cause(emptied=frozenset(blocks))
