"""Messages of reconciliation -> domain requests; refuses what is malformed, all at once."""

from moorage.v1 import reconciliation_pb2 as messages
from moorage.v1 import resources_pb2
from moorage_server.api import decode, limits, names
from moorage_server.api.violations import Violations
from moorage_server.domain import model, reconciliation

_SECOND = 1_000_000_000  # nanoseconds


def reconcile_request(
    message: messages.ReconcileNodeRequest,
) -> reconciliation.ReconcileRequest:
    """The list of ReconcileNode."""
    found = Violations()
    vrf = names.parent(found, message.parent)
    request = reconciliation.ReconcileRequest(
        vrf=vrf,
        # Without a name it would be the list of everything whose node nobody knows.
        node=found.text("node", message.node, limits.TEXT_LENGTH, required=True),
        cluster=found.text("cluster", message.cluster, limits.UID_LENGTH),
        network=_network(found, message.network),
        listed=_listed(found, vrf, message),
        attempt=decode.attempt(found, message),
        grace=_grace(found, message),
        validate_only=message.validate_only,
        seen=decode.seen(found, message),
        from_records=message.from_records,
    )
    found.check()
    return request


def _network(found: Violations, network: str) -> str:
    return decode.network(found, "network", network) if network else ""


def _listed(
    found: Violations, vrf: str, message: messages.ReconcileNodeRequest
) -> frozenset[model.AttachmentKey]:
    if not found.at_most("attachments", message.attachments, limits.ATTACHMENTS_PER_LIST):
        return frozenset()
    return frozenset(
        decode.attachment(found, f"attachments[{at}]", _whole(each, message.network), vrf)
        for at, each in enumerate(message.attachments)
    )


def _whole(attachment: resources_pb2.Attachment, network: str) -> resources_pb2.Attachment:
    return resources_pb2.Attachment(
        network=attachment.network or network,
        container_id=attachment.container_id,
        interface=attachment.interface,
    )


def _grace(found: Violations, message: messages.ReconcileNodeRequest) -> int:
    if not message.HasField("grace"):
        return reconciliation.DEFAULT_GRACE
    nanoseconds = message.grace.ToNanoseconds()
    if not 0 <= nanoseconds <= limits.GRACE_SECONDS * _SECOND:
        text = f"is {nanoseconds / _SECOND:g} seconds; give 0 to {limits.GRACE_SECONDS}"
        found.add("grace", text)
    # Part of a second counts as a whole one: never sooner than was asked for.
    return -(-nanoseconds // _SECOND)
