"""The parsers of the server: selectors, addresses and ranges, page tokens, cursors, requests."""

import contextlib
import socket
from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf import message

from fuzz import texts
from fuzz.target import Target
from moorage.ctl import manifests
from moorage.v1 import (
    admin_service_pb2,
    allocation_service_pb2,
    audit_pb2,
    filter_pb2,
    history_pb2,
    node_service_pb2,
    pool_service_pb2,
    reconciliation_pb2,
    reservation_service_pb2,
    vrf_service_pb2,
)
from moorage_server.api import (
    decode,
    decode_admin,
    decode_audit,
    decode_blocks,
    decode_history,
    decode_pools,
    decode_reconciliation,
    decode_resources,
    decode_sticky,
    decode_vrfs,
    decode_watch,
    errors,
    limits,
    listings,
    page_tokens,
)
from moorage_server.api.violations import Violations
from moorage_server.domain import addresses, selectors
from moorage_server.domain.errors import IpamError

_LABELS: tuple[dict[str, str], ...] = (
    {},
    {"zone": "east", "gpu": "", "team": "blue"},
    {"kubernetes.io/os": "linux", "zone": "west"},
)
# What every request is decoded by.
_DECODERS: Mapping[type[message.Message], Callable[[Any], object]] = {
    allocation_service_pb2.AssignAddressesRequest: decode.assign_request,
    allocation_service_pb2.ReleaseAddressesRequest: decode.release_request,
    allocation_service_pb2.GetAllocationRequest: decode.allocation_name,
    reconciliation_pb2.ReconcileNodeRequest: decode_reconciliation.reconcile_request,
    history_pb2.WatchAllocationsRequest: decode_watch.watch,
    reconciliation_pb2.DeleteStickyAddressRequest: decode_sticky.name,
    pool_service_pb2.CreatePoolRequest: decode_pools.new_pool,
    pool_service_pb2.UpdatePoolRequest: decode_pools.pool_change,
    pool_service_pb2.ForecastPoolRequest: decode_history.outlook,
    reservation_service_pb2.CreateReservationRequest: decode_resources.new_reservation,
    reservation_service_pb2.UpdateReservationRequest: decode_resources.reservation_change,
    node_service_pb2.UpsertNodeRequest: decode_resources.node,
    vrf_service_pb2.CreateVrfRequest: decode_vrfs.new_vrf,
    vrf_service_pb2.UpdateVrfRequest: decode_vrfs.vrf_change,
    admin_service_pb2.AdoptBlockRequest: decode_admin.adopt_request,
    admin_service_pb2.LiftQuarantineRequest: decode_admin.lifted,
}
_LISTINGS: tuple[tuple[Callable[..., message.Message], Callable[[Any], object]], ...] = (
    (allocation_service_pb2.ListAllocationsRequest, decode.listing),
    (history_pb2.ListAllocationHistoryRequest, decode_history.listing),
    (reconciliation_pb2.ListStickyAddressesRequest, decode_sticky.listing),
    (pool_service_pb2.ListBlocksRequest, decode_blocks.listing),
    (pool_service_pb2.ListPoolsRequest, listings.page_of_vrf),
    (vrf_service_pb2.ListVrfsRequest, listings.page),
    (audit_pb2.ListChangesRequest, decode_audit.listing),
)
_REQUESTS = tuple(_DECODERS)


def _selectors(data: bytes) -> None:
    text = texts.text_of(data)
    found = selectors.parse(text)
    again = selectors.parse(found.canonical)
    assert again == found
    assert again.uses_global == found.uses_global
    assert len(found.canonical) <= selectors.CANONICAL_LIMIT
    for labels in _LABELS:
        assert found.matches(labels) is again.matches(labels)


def _addresses(data: bytes) -> None:
    text = texts.text_of(data)
    for parse in (_address, _network, _span):
        with contextlib.suppress(ValueError):
            parse(text)


def _address(text: str) -> None:
    found = addresses.parse_address(text)
    assert addresses.parse_address(str(found)) == found
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    packed = socket.inet_pton(family, text)  # as Go's net.ParseIP has it
    assert addresses.parse_address(socket.inet_ntop(family, packed)) == found


def _network(text: str) -> None:
    found = _told(addresses.parse_network, text)
    # Whoever applies a manifest is told the same before the server is asked.
    assert found == _told(lambda cidr: manifests.network(cidr, bare=False), text)
    assert found is None or addresses.parse_network(str(found)) == found


def _told(parse: Callable[[str], addresses.Network], text: str) -> addresses.Network | None:
    try:
        return parse(text)
    except ValueError:
        return None


def _span(text: str) -> None:
    found = addresses.Span.parse(text)
    assert found.size > 0
    ends = (found.family.address(found.first), found.family.address(found.last))
    assert addresses.Span.parse(f"{ends[0]}-{ends[1]}") == found


def _tokens(data: bytes) -> None:
    """Of which listing, in a byte: a token as it is, and a last key that was made up."""
    make, read = _LISTINGS[data[0] % len(_LISTINGS)] if data else _LISTINGS[0]
    text = texts.text_of(data[1:])
    request = make()
    _read_page(make, read, text)
    with contextlib.suppress(UnicodeEncodeError):  # no key that a server writes
        _read_page(make, read, page_tokens.encode(request, text))


def _read_page(
    make: Callable[..., message.Message], read: Callable[[Any], object], token: str
) -> None:
    try:
        request = make(page_token=token)
    except UnicodeEncodeError:
        return  # no message can carry it
    try:
        read(request)
    except IpamError as error:
        _tell(error)


def _cursors(data: bytes) -> None:
    """A request to watch, with whatever cursor."""
    request = history_pb2.WatchAllocationsRequest.FromString(data)
    _, cursor = decode_watch.watch(request)
    if cursor is not None:
        assert cursor.revision >= 0
        assert cursor.epoch.isprintable()
        assert len(cursor.epoch) <= limits.EPOCH_LENGTH
    _filters(data)


def _filters(data: bytes) -> None:
    decode.allocation_filter(Violations(), "default", filter_pb2.AllocationFilter.FromString(data))


def _requests(data: bytes) -> None:
    """Which request, in a byte, and its bytes."""
    kind = _REQUESTS[data[0] % len(_REQUESTS)] if data else _REQUESTS[0]
    request = kind.FromString(data[1:])
    try:
        _DECODERS[kind](request)
    except IpamError as error:
        _tell(error)


def _tell(error: IpamError) -> None:
    """A refusal is plain text, and fits into what gRPC sends."""
    code, text, trailers = errors.ending(error)
    assert code.name == "INVALID_ARGUMENT", code
    assert text.isprintable()
    assert sum(len(value) for _, value in trailers) < 8192


TARGETS = (
    Target(
        name="selectors",
        feed=_selectors,
        declared=(selectors.SelectorError,),
        longest=2 * limits.SELECTOR_LENGTH,
        seconds=0.02,
    ),
    Target(name="addresses", feed=_addresses, declared=(), longest=2048, seconds=0.01),
    Target(name="tokens", feed=_tokens, declared=(), longest=2048, seconds=0.02),
    Target(
        name="cursors",
        feed=_cursors,
        declared=(message.DecodeError, IpamError),
        longest=8192,
        seconds=0.01,
    ),
    Target(
        name="requests",
        feed=_requests,
        declared=(message.DecodeError,),
        longest=16384,
        seconds=0.02,
    ),
)
