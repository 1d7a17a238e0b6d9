"""What became of a node's list -> messages."""

from collections.abc import Iterable, Sequence

from moorage.v1 import error_reason_pb2, resources_pb2
from moorage.v1 import reconciliation_pb2 as messages
from moorage_server.api import encode, limits, page_tokens
from moorage_server.api.leaks import Failure
from moorage_server.domain import addresses, catalog, errors
from moorage_server.usecases.reconcile import Findings

# Two lists share one message.
_HALF = limits.PAGE_BYTES // 2
UNKNOWN = 100  # of what nobody holds; GetQuarantine tells of more


def reconciled(
    found: Findings, released: Iterable[catalog.Shown], failures: Sequence[Failure]
) -> messages.ReconcileNodeResponse:
    """What was found of a node, and done about it."""
    return messages.ReconcileNodeResponse(
        confirmed_count=found.confirmed_count,
        suspects=_listed(found.suspects),
        released=_listed(released),
        failures=[
            messages.ReconcileFailure(
                attachment=encode.attachment(each.attachment), refusal=_refusal(each.refusal)
            )
            for each in failures
        ],
        unknown=map(encode.attachment, found.unknown[:UNKNOWN]),
    )


def _listed(held: Iterable[catalog.Shown]) -> list[resources_pb2.Allocation]:
    """In order of address, IPv4 before IPv6."""
    in_order = sorted(held, key=lambda each: _place(each.allocation.address))
    return page_tokens.fitting([encode.allocation(each) for each in in_order], _HALF)


def _place(address: addresses.Address) -> tuple[int, int]:
    return address.version, int(address)


def _refusal(error: errors.IpamError) -> messages.Refusal:
    return messages.Refusal(
        reason=error_reason_pb2.ErrorReason.Value(f"ERROR_REASON_{error.reason}"),
        message=error.message,
        metadata=error.metadata,
    )
