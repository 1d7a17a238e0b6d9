"""Messages about sticky addresses -> domain."""

import dataclasses

from moorage.v1 import reconciliation_pb2 as messages
from moorage_server.api import limits, names, page_tokens
from moorage_server.api.violations import Violations
from moorage_server.domain import addresses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StickyListing:
    """One page: `size` addresses from the one behind `after`; of all where no owner is given."""

    vrf: str
    owner_key: str
    after: addresses.Address | None
    size: int


def listing(request: messages.ListStickyAddressesRequest) -> StickyListing:
    """What ListStickyAddresses asks for."""
    found = Violations()
    vrf = names.parent(found, request.parent)
    owner_key = found.text("owner_key", request.owner_key, limits.TEXT_LENGTH)
    size = page_tokens.page_size(found, request.page_size)
    found.check()
    last_key = page_tokens.decode(request, request.page_token)
    # Whoever makes a token up may put anything in it.
    after = found.parsed("page_token", last_key, addresses.parse_address) if last_key else None
    found.check()
    return StickyListing(vrf=vrf, owner_key=owner_key, after=after, size=size)


def name(request: messages.DeleteStickyAddressRequest) -> tuple[str, addresses.Address]:
    """The VRF and the address that DeleteStickyAddress gives up."""
    found = Violations()
    vrf, address = names.sticky_address(found, request.name)
    found.check()
    return vrf, address  # type: ignore[return-value]  # None was noted, so check has raised
