"""Who holds one address, in the words of calicoctl ipam show --ip."""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf import json_format

import moorage
from moorage.ctl import columns, exits
from moorage.v1 import resources_pb2

# Said already by the lines above the attributes.
_SAID = {"ADDRESS", "NETWORK", "CONTAINER"}
# What the caller told of the owner; all else follows from the address.
_TOLD = {"NODE", "NAMESPACE", "POD", "POD-UID", "OWNER", "LABELS"}


def handle_of(attachment: resources_pb2.Attachment) -> str:
    """Return the name under which Calico would keep the addresses of an attachment."""
    return f"{attachment.network}.{attachment.container_id}"


def find(client: moorage.Client, name: str) -> resources_pb2.Allocation | None:
    """Return who holds the address of an allocation's name; None where nobody does."""
    try:
        return client.get_allocation(name)
    except moorage.NotFound as error:
        if error.reason != "ALLOCATION_NOT_FOUND":
            raise
        return None


def lines(allocation: resources_pb2.Allocation) -> Iterator[str]:
    """Yield what is said about an address in use."""
    yield f"IP {allocation.address} is in use"
    yield exits.printable(f"Handle ID: {handle_of(allocation.attachment)}")
    attributes = _attributes(allocation)
    yield "Active Owner Attributes:" if attributes else "No Active Owner attributes defined"
    for key, text in sorted(attributes.items()):
        yield exits.printable(f"  {key}: {text}")


def document(address: str, allocation: resources_pb2.Allocation | None) -> dict[str, object]:
    """Return what stands for an address in JSON; `allocation` is None where nobody holds it."""
    if allocation is None:
        return {"address": address, "inUse": False}
    return {
        "address": address,
        "inUse": True,
        "handleId": handle_of(allocation.attachment),
        "allocation": json_format.MessageToDict(allocation),
    }


def _attributes(allocation: resources_pb2.Allocation) -> dict[str, str]:
    """Return what is known of an owner, by attribute; nothing where nothing was told of it."""
    facts = columns.cells(allocation, wide=True)
    if not any(facts[title] for title in _TOLD):
        return {}
    return {title.lower(): text for title, text in facts.items() if text and title not in _SAID}
