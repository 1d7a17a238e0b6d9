"""Lists of administered resources, page by page: what all of their requests share."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from google.protobuf import message as protobuf

from moorage.v1 import (
    node_service_pb2,
    pool_service_pb2,
    reservation_service_pb2,
    vrf_service_pb2,
)
from moorage_server.api import names, page_tokens
from moorage_server.api.violations import Violations
from moorage_server.domain import resources

InVrf = (
    pool_service_pb2.ListPoolsRequest
    | reservation_service_pb2.ListReservationsRequest
    | node_service_pb2.ListNodesRequest
)
Request = InVrf | vrf_service_pb2.ListVrfsRequest
N = TypeVar("N", resources.Vrf, resources.Pool, resources.Reservation, resources.Node)
M = TypeVar("M", bound=protobuf.Message)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page: `size` resources that carry all labels, from the one behind `after`."""

    labels: Mapping[str, str]
    after: str
    size: int


def page(request: Request) -> Page:
    """The page that a request asks for."""
    return _page(request, Violations())


def page_of_vrf(request: InVrf) -> tuple[str, Page]:
    """The VRF and the page that a request asks for."""
    found = Violations()
    vrf = names.parent(found, request.parent)
    return vrf, _page(request, found)


def shown(
    request: Request, listed: Sequence[N], encode: Callable[[N], M], *, more: bool
) -> tuple[list[M], str]:
    """The messages of what was listed, as far as they fit, and the next page's token."""
    encoded = page_tokens.fitting([encode(each) for each in listed])
    if not more and len(encoded) == len(listed):
        return encoded, ""
    return encoded, page_tokens.encode(request, listed[len(encoded) - 1].name)


def _page(request: Request, found: Violations) -> Page:
    size = page_tokens.page_size(found, request.page_size)
    labels = found.labels("labels", request.labels)
    found.check()
    after = page_tokens.decode(request, request.page_token)
    if after:
        # Whoever makes a token up may put anything in it.
        names.child_id(found, "page_token", after)
        found.check()
    return Page(labels=labels, after=after, size=size)
