"""What an export tells -> messages, each of a size that goes into one."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from google.protobuf import message as protobuf

from moorage.v1 import admin_service_pb2 as messages
from moorage_server.api import encode, encode_held, encode_resources, page_tokens
from moorage_server.domain import resources, sticky, usage
from moorage_server.usecases import export, query

_Encode = Callable[[Any], protobuf.Message]  # of one of the kinds
# By what is listed: the field, and what makes a message of one.
_LISTED: dict[type, tuple[str, _Encode]] = {
    resources.Node: ("nodes", encode_resources.node),
    resources.Pool: ("pools", encode_resources.pool),
    resources.Reservation: ("reservations", encode_resources.reservation),
    usage.OpenBlock: ("blocks", encode_resources.block),
    sticky.StickyAddress: ("sticky_addresses", encode.sticky_address),
}


def part(told: export.Part) -> Iterator[messages.ExportVrfResponse]:
    """What is told at once, in as many messages as it takes: labels make rows large."""
    match told:
        case export.Opening():
            opening = messages.ExportVrfResponse(vrf=encode_resources.vrf(told.vrf))
            encode.position(told.position, opening.position)
            yield opening
        case query.Page():
            whole = messages.ExportVrfResponse()
            encode_held.bare(told, whole.allocations)
            yield from _fitting("allocations", whole.allocations)
        case _:
            field, made = _LISTED[type(told[0])]
            yield from _fitting(field, list(map(made, told)))


def _fitting(
    field: str, listed: Sequence[protobuf.Message]
) -> Iterator[messages.ExportVrfResponse]:
    while listed:
        few: dict[str, Any] = {field: page_tokens.fitting(listed)}
        yield messages.ExportVrfResponse(**few)
        listed = listed[len(few[field]) :]
