"""Messages of administration -> domain requests; refuses what is malformed, all at once."""

import collections
from collections.abc import Sequence

from moorage.v1 import admin_service_pb2 as messages
from moorage.v1 import reconciliation_pb2
from moorage_server.api import decode, enums, limits, names
from moorage_server.api.violations import Violations
from moorage_server.domain import addresses, model
from moorage_server.domain.adoption import Adoption, AdoptRequest, Keeping


def vrf(
    message: messages.CheckConsistencyRequest
    | messages.ExportVrfRequest
    | messages.GetQuarantineRequest,
) -> str:
    """The VRF that is to be looked at."""
    found = Violations()
    name = names.parent(found, message.parent)
    found.check()
    return name


def lifted(message: messages.LiftQuarantineRequest) -> tuple[str, str]:
    """The VRF whose quarantine is to end, and why."""
    found = Violations()
    name = names.parent(found, message.parent)
    reason = found.text("reason", message.reason, limits.DESCRIPTION_LENGTH, required=True)
    found.check()
    return name, reason


def adopt_request(message: messages.AdoptBlockRequest) -> AdoptRequest:
    """What AdoptBlock adopts."""
    found = Violations()
    vrf = names.parent(found, message.parent)
    cidr = _cidr(found, message.cidr)
    node = found.text("node", message.node, limits.NAME_LENGTH)
    adoptions: tuple[Adoption, ...] = ()
    if found.at_most("addresses", message.addresses, limits.ADDRESSES_PER_ADOPTION):
        adoptions = _adoptions(found, vrf, cidr, message.addresses)
    keepings: tuple[Keeping, ...] = ()
    if found.at_most("sticky_addresses", message.sticky_addresses, limits.ADDRESSES_PER_ADOPTION):
        keepings = _keepings(found, cidr, message.sticky_addresses)
    counted = collections.Counter(
        [each.address for each in adoptions] + [each.address for each in keepings]
    )
    for address, count in counted.items():
        if count > 1:
            found.add("addresses", f"has {address} {count} times; give each address once")
    found.check()
    return AdoptRequest(
        vrf=vrf,
        cidr=cidr,  # type: ignore[arg-type]  # None was noted, so check has raised
        node=node,
        adoptions=adoptions,
        keepings=keepings,
        validate_only=message.validate_only,
    )


def _cidr(found: Violations, text: str) -> addresses.Network | None:
    if not text:
        found.add("cidr", "is required")
        return None
    return found.parsed("cidr", text, addresses.parse_network)


def _adoptions(
    found: Violations,
    vrf: str,
    cidr: addresses.Network | None,
    listed: Sequence[messages.AdoptedAddress],
) -> tuple[Adoption, ...]:
    decoded = [
        _adoption(found, vrf, cidr, f"addresses[{at}]", each) for at, each in enumerate(listed)
    ]
    return tuple(each for each in decoded if each is not None)


def _adoption(
    found: Violations,
    vrf: str,
    cidr: addresses.Network | None,
    field: str,
    message: messages.AdoptedAddress,
) -> Adoption | None:
    address = _address(found, cidr, f"{field}.address", message.address)
    attachment = decode.attachment(found, f"{field}.attachment", message.attachment, vrf)
    facts = model.Facts(
        workload=decode.workload(found, f"{field}.workload", message.workload),
        use=enums.USES.decode(found, f"{field}.use", message.use, model.Use.WORKLOAD),
        labels=found.labels(f"{field}.labels", message.labels),
        owner_key=found.text(f"{field}.owner_key", message.owner_key, limits.TEXT_LENGTH),
        sticky=decode.sticky(found, f"{field}.", message),
    )
    if address is None:
        return None
    return Adoption(address=address, attachment=attachment, facts=facts)


def _keepings(
    found: Violations,
    cidr: addresses.Network | None,
    listed: Sequence[reconciliation_pb2.StickyAddress],
) -> tuple[Keeping, ...]:
    decoded = [
        _keeping(found, cidr, f"sticky_addresses[{at}]", each) for at, each in enumerate(listed)
    ]
    return tuple(each for each in decoded if each is not None)


def _keeping(
    found: Violations,
    cidr: addresses.Network | None,
    field: str,
    message: reconciliation_pb2.StickyAddress,
) -> Keeping | None:
    address = _address(found, cidr, f"{field}.address", message.address)
    owner_key = found.text(
        f"{field}.owner_key", message.owner_key, limits.TEXT_LENGTH, required=True
    )
    network = decode.network(found, f"{field}.network", message.network)
    interface = decode.interface(found, f"{field}.interface", message.interface)
    expire_time = found.time(f"{field}.expire_time", message.expire_time)
    if not message.HasField("expire_time"):
        found.add(f"{field}.expire_time", "is required")
    if address is None or expire_time is None:
        return None
    return Keeping(
        address=address,
        owner_key=owner_key,
        network=network,
        interface=interface,
        expire_time=expire_time,
    )


def _address(
    found: Violations, cidr: addresses.Network | None, field: str, text: str
) -> addresses.Address | None:
    def of_block(text: str) -> addresses.Address:
        address = addresses.parse_address(text)
        if cidr is not None and address not in cidr:
            raise ValueError(f"lies outside of {cidr}")
        return address

    return found.parsed(field, text, of_block)
