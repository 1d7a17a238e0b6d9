"""Messages of the data path -> domain requests; refuses what is malformed, all at once."""

import math
import re
from collections.abc import Sequence

from google.protobuf import duration_pb2

from moorage.v1 import admin_service_pb2 as admin_messages
from moorage.v1 import allocation_service_pb2 as allocation_messages
from moorage.v1 import filter_pb2, reconciliation_pb2
from moorage.v1 import resources_pb2 as messages
from moorage_server.api import enums, limits, names, page_tokens
from moorage_server.api.violations import Violations
from moorage_server.domain import addresses, model

_CNI_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_INTERFACE = re.compile(r"(?!\.{1,2}\Z)[^/:\s]+")
_CNI_NAME_EXPECTED = "a CNI name: a letter or digit, then letters, digits, _, . and -"


def assign_request(message: allocation_messages.AssignAddressesRequest) -> model.AssignRequest:
    """What AssignAddresses asks for."""
    found = Violations()
    request = model.AssignRequest(
        attachment=_attachment(found, message.parent, message.attachment),
        addresses=_wants(found, message),
        facts=model.Facts(
            workload=workload(found, "workload", message.workload),
            use=enums.USES.decode(found, "use", message.use, model.Use.WORKLOAD),
            owner_key=found.text("owner_key", message.owner_key, limits.TEXT_LENGTH),
            sticky=sticky(found, "", message),
            labels=found.labels("labels", message.labels),
        ),
        attempt=attempt(found, message),
        wait=_seconds(found, "wait", message.wait, limits.WAIT_SECONDS),
        seen=seen(found, message),
    )
    found.check()
    return request


def _seconds(found: Violations, field: str, message: duration_pb2.Duration, longest: int) -> float:
    seconds = message.seconds + message.nanos / 1e9
    if not 0 <= seconds <= longest:
        found.add(field, f"is {seconds:.15g} seconds; at least 0 and at most {longest} are allowed")
    return seconds


def release_request(message: allocation_messages.ReleaseAddressesRequest) -> model.ReleaseRequest:
    """What ReleaseAddresses asks for."""
    found = Violations()
    request = model.ReleaseRequest(
        attachment=_attachment(found, message.parent, message.attachment),
        attempt=attempt(found, message),
        generations=_generations(found, message.generations),
        seen=seen(found, message),
    )
    found.check()
    return request


def allocation_name(
    message: allocation_messages.GetAllocationRequest,
) -> tuple[str, addresses.Address]:
    """The VRF and the address that GetAllocation asks for."""
    found = Violations()
    vrf, address = names.allocation(found, message.name)
    found.check()
    return vrf, address  # type: ignore[return-value]  # None was noted, so check has raised


def listing(
    message: allocation_messages.ListAllocationsRequest,
) -> tuple[model.AllocationFilter, int, addresses.Address | None]:
    """The filter, the page size and the key to continue behind."""
    found = Violations()
    size = page_tokens.page_size(found, message.page_size)
    wanted = allocation_filter(found, names.parent(found, message.parent), message.filter)
    found.check()
    last_key = page_tokens.decode(message, message.page_token)
    # Whoever makes a token up may put anything in it.
    after = found.parsed("page_token", last_key, addresses.parse_address) if last_key else None
    found.check()
    return wanted, size, after


def _attachment(
    found: Violations, parent: str, message: messages.Attachment
) -> model.AttachmentKey:
    return attachment(found, "attachment", message, names.parent(found, parent))


def attachment(
    found: Violations, field: str, message: messages.Attachment, vrf: str
) -> model.AttachmentKey:
    """The attachment of a VRF that a message names."""
    network(found, f"{field}.network", message.network)
    _cni_name(found, f"{field}.container_id", message.container_id, limits.CONTAINER_ID_LENGTH)
    return model.AttachmentKey(
        vrf=vrf,
        network=message.network,
        container_id=message.container_id,
        interface=interface(found, f"{field}.interface", message.interface),
    )


def interface(found: Violations, field: str, value: str) -> str:
    """The name of an interface."""
    found.text(field, value, limits.INTERFACE_LENGTH, required=True)
    expected = "an interface name: no /, : or white space, not . or .."
    return found.matching(field, value, _INTERFACE, expected)


def network(found: Violations, field: str, value: str) -> str:
    """The name of a network."""
    return _cni_name(found, field, value, limits.NETWORK_LENGTH)


def _cni_name(found: Violations, field: str, value: str, longest: int) -> str:
    found.text(field, value, longest, required=True)
    return found.matching(field, value, _CNI_NAME, _CNI_NAME_EXPECTED)


def sticky(
    found: Violations,
    inside: str,
    message: allocation_messages.AssignAddressesRequest | admin_messages.AdoptedAddress,
) -> int:
    """For how many seconds, begun ones included; `inside` stands before the field's name."""
    field = f"{inside}sticky"
    seconds = math.ceil(_seconds(found, field, message.sticky, limits.STICKY_SECONDS))
    if seconds and not message.owner_key:
        found.add(field, "keeps addresses for an owner; give owner_key, or leave it out")
    return seconds


def _wants(
    found: Violations, message: allocation_messages.AssignAddressesRequest
) -> tuple[model.AddressRequest, ...]:
    if not message.addresses:
        found.add("addresses", "is required; ask for at least one address")
    if not found.at_most("addresses", message.addresses, limits.ADDRESSES_PER_REQUEST):
        return ()
    wants = (_want(found, f"addresses[{at}]", each) for at, each in enumerate(message.addresses))
    wanted = tuple(want for want in wants if want is not None)
    named = [want.candidates for want in wanted if len(want.candidates) == 1]
    for (address,) in {each for each in named if named.count(each) > 1}:
        found.add("addresses", f"ask for {address} more than once; one is all there can be")
    return wanted


def _want(
    found: Violations, field: str, message: allocation_messages.AddressRequest
) -> model.AddressRequest | None:
    family = enums.FAMILIES.require(found, f"{field}.family", message.family)
    if message.pools and message.candidate_addresses:
        found.add(field, "has both pools and candidate_addresses; give one of them")
    pools = _pools(found, f"{field}.pools", message.pools)
    listed = message.candidate_addresses
    candidates = _candidates(found, f"{field}.candidate_addresses", listed, family)
    if family is None:
        return None
    return model.AddressRequest(family=family, pools=pools, candidates=candidates)


def _pools(found: Violations, field: str, pools: Sequence[str]) -> tuple[str, ...]:
    if not found.at_most(field, pools, limits.POOLS_PER_REQUEST):
        return ()
    for at, pool in enumerate(pools):
        found.text(f"{field}[{at}]", pool, limits.NAME_LENGTH, required=True)
    return tuple(pools)


def _candidates(
    found: Violations, field: str, listed: Sequence[str], family: addresses.Family | None
) -> tuple[addresses.Address, ...]:
    def of_family(text: str) -> addresses.Address:
        address = addresses.parse_address(text)
        own = addresses.family_of(address)
        if family not in (None, own):
            raise ValueError(f"{own.name} where {family.name} is wanted; ask for each by itself")
        return address

    if not listed or not found.at_most(field, listed, limits.CANDIDATES_PER_REQUEST):
        return ()
    return tuple(dict.fromkeys(found.each(field, listed, of_family)))


def _generations(found: Violations, generations: Sequence[int]) -> frozenset[int]:
    if found.at_most("generations", generations, limits.GENERATIONS_PER_REQUEST):
        for at, generation in enumerate(generations):
            if generation <= 0:
                text = f"is {generation}; give what the assign returned, which is positive"
                found.add(f"generations[{at}]", text)
    return frozenset(generations)


def workload(found: Violations, field: str, message: messages.Workload) -> model.Workload:
    """Whom addresses are for."""
    return model.Workload(
        node=found.text(f"{field}.node", message.node, limits.TEXT_LENGTH),
        namespace=found.text(f"{field}.namespace", message.namespace, limits.TEXT_LENGTH),
        pod=found.text(f"{field}.pod", message.pod, limits.TEXT_LENGTH),
        pod_uid=found.text(f"{field}.pod_uid", message.pod_uid, limits.UID_LENGTH),
        cluster=found.text(f"{field}.cluster", message.cluster, limits.UID_LENGTH),
        namespace_labels=found.labels(
            f"{field}.namespace_labels",
            message.namespace_labels,
            most=limits.OBJECT_LABELS,
            longest_key=limits.OBJECT_LABEL_KEY_LENGTH,
        ),
    )


def attempt(
    found: Violations,
    message: allocation_messages.AssignAddressesRequest
    | allocation_messages.ReleaseAddressesRequest
    | reconciliation_pb2.ReconcileNodeRequest,
) -> model.AttemptStamp | None:
    """When an attempt began, where its message says so."""
    if not message.HasField("attempt"):
        return None
    stamp = message.attempt
    found.text("attempt.boot_id", stamp.boot_id, limits.BOOT_ID_LENGTH, required=True)
    if stamp.boot_time_ns <= 0:
        found.add("attempt.boot_time_ns", f"is {stamp.boot_time_ns}; it must be positive")
    return model.AttemptStamp(boot_id=stamp.boot_id, boot_time_ns=stamp.boot_time_ns)


def seen(
    found: Violations,
    message: allocation_messages.AssignAddressesRequest
    | allocation_messages.ReleaseAddressesRequest
    | reconciliation_pb2.ReconcileNodeRequest,
) -> model.Position | None:
    """How far the caller has seen the feed come, where its message says so."""
    if not message.HasField("seen"):
        return None
    epoch, revision = message.seen.epoch, message.seen.revision
    found.text("seen.epoch", epoch, limits.EPOCH_LENGTH, required=True)
    if revision < 0:
        found.add("seen.revision", f"is {revision}; send the position as it was told")
    return model.Position(epoch=epoch, revision=revision)


def allocation_filter(
    found: Violations, vrf: str, message: filter_pb2.AllocationFilter
) -> model.AllocationFilter:
    """Which allocations of a VRF are meant; its pools, by name, are for the use case to find."""
    _pools(found, "filter.pools", message.pools)
    for field, value, longest in _filter_texts(message):
        found.text(f"filter.{field}", value, longest)
    if message.workload.namespace_labels:
        found.add("filter.workload.namespace_labels", "cannot be filtered by; leave it out")
    within = None
    if message.cidr:
        within = found.parsed("filter.cidr", message.cidr, addresses.parse_network_or_address)
    return model.AllocationFilter(
        vrf=vrf,
        attachment=_whole_attachment(vrf, message.attachment),
        within=within,
        network=message.attachment.network,
        container_id=message.attachment.container_id,
        interface=message.attachment.interface,
        node=message.workload.node,
        namespace=message.workload.namespace,
        pod=message.workload.pod,
        pod_uid=message.workload.pod_uid,
        cluster=message.workload.cluster,
        owner_key=message.owner_key,
        labels=found.labels("filter.labels", message.labels),
    )


def _whole_attachment(vrf: str, message: messages.Attachment) -> model.AttachmentKey | None:
    parts = (message.network, message.container_id, message.interface)
    if not all(parts):
        return None
    return model.AttachmentKey(vrf=vrf, network=parts[0], container_id=parts[1], interface=parts[2])


def _filter_texts(
    message: filter_pb2.AllocationFilter,
) -> list[tuple[str, str, int]]:
    attachment, workload = message.attachment, message.workload
    return [
        ("attachment.network", attachment.network, limits.NETWORK_LENGTH),
        ("attachment.container_id", attachment.container_id, limits.CONTAINER_ID_LENGTH),
        ("attachment.interface", attachment.interface, limits.INTERFACE_LENGTH),
        ("workload.node", workload.node, limits.TEXT_LENGTH),
        ("workload.namespace", workload.namespace, limits.TEXT_LENGTH),
        ("workload.pod", workload.pod, limits.TEXT_LENGTH),
        ("workload.pod_uid", workload.pod_uid, limits.UID_LENGTH),
        ("workload.cluster", workload.cluster, limits.UID_LENGTH),
        ("owner_key", message.owner_key, limits.TEXT_LENGTH),
    ]
