"""NUL, newlines and 100 KB, in every text of every request."""

import itertools
from collections.abc import Iterator

import pytest

from bad_input import fields, tables, valid
from bad_input.ground import Ground

SPOILERS = ("a\x00b", "a\nb", tables.LONG)
TOLD = {"INVALID_REQUEST", "ETAG_MISMATCH", "PAGE_TOKEN_MISMATCH"}
# The server chooses these and passes over what a request says of them.
IGNORED = {
    *(f"CreatePool pool.{field}" for field in ("name", "uid", "etag")),
    *(f"CreateReservation reservation.{field}" for field in ("name", "uid", "etag")),
    *(f"CreateVrf vrf.{field}" for field in ("name", "uid", "etag")),
    *("UpdatePool pool.uid", "UpdateReservation reservation.uid", "UpdateVrf vrf.uid"),
    *("AdoptBlock sticky_addresses.name", "AdoptBlock sticky_addresses.pool"),
    "UpsertNode node.etag",
}


def places() -> Iterator[str]:
    """Every text of every RPC."""
    for rpc, requests in valid.REQUESTS.items():
        found = {path for request in requests for path, _ in fields.texts(request)}
        yield from (f"{rpc} {path}" for path in sorted(found))


@pytest.mark.usefixtures("nothing_written")
@pytest.mark.parametrize("place", sorted(set(places()) - IGNORED))
def test_a_text_that_cannot_be_is_refused(ground: Ground, place: str) -> None:
    rpc, _, path = place.partition(" ")
    for original, spoiler in itertools.product(valid.REQUESTS[rpc], SPOILERS):
        request = type(original)()
        request.CopyFrom(original)
        if not path.startswith("update_mask"):
            fields.clear(request, "update_mask")  # so that every field counts
        put = dict(fields.texts(request)).get(path)
        if put is not None:
            put(spoiler)
            refusal = tables.refusal_of(ground, request)
            assert refusal is not None
            assert refusal.reason in TOLD, refusal
