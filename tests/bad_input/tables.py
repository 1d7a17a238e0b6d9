"""How rows of the table are read, and held against what the server answers."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import grpc
import pytest
from google.protobuf.message import Message

from api import refusals
from bad_input.ground import Ground

T = TypeVar("T")

# A request, and for every field that is wrong with it what exactly is said.
Malformed = tuple[Message, Sequence[tuple[str, str]]]
# A request, then status, reason and metadata, then the message.
Refused = tuple[Message, tuple[str, str, dict[str, str]], str]

LONG = "x" * 100_000
REQUIRED = "is required"
NO_VRF = 'is not a VRF; write "vrfs/{vrf}"'
NO_LABEL = "is not a DNS-1123 label: lower-case letters, digits and -"
NO_SUBDOMAIN = "is not a DNS-1123 subdomain: lower-case letters, digits, - and ."
NO_CNI_NAME = "is not a CNI name: a letter or digit, then letters, digits, _, . and -"
NO_INTERFACE = "is not an interface name: no /, : or white space, not . or .."
NO_ADDRESS = "not an IPv4 or IPv6 address; write for example 10.0.0.7 or fd00::7"
LEADING_ZERO = (
    "not an IPv4 or IPv6 address (numbers have no leading zeros);"
    " write for example 10.0.0.7 or fd00::7"
)
NO_PREFIX_WANTED = "a prefix length is not expected here; give the address alone"
NO_PLAIN_LENGTH = "the prefix length must be a plain number: no netmask, no leading zero"
PREFIX_WANTED = "a prefix length is missing; write for example 10.0.0.0/24"
ZONE = "zones do not belong to an address; leave out the % part"
OTHER_TOKEN = "the page token is not of this listing and filter; start again without it"


def each(rows: Mapping[str, T]) -> pytest.MarkDecorator:
    """Runs a test for every row, by its name."""
    return pytest.mark.parametrize("row", rows.values(), ids=list(rows))


def labels(count: int) -> dict[str, str]:
    """That many labels."""
    return {str(number): "" for number in range(count)}


def too_long(length: int, most: int, letter: str = "x") -> str:
    """What is said of a text of many equal letters."""
    shown = letter * length if length <= 80 else f"{letter * 80}..."
    return f'has {length} characters: "{shown}"; at most {most} are allowed'


def unprintable(escaped: str) -> str:
    """What is said of control characters; takes the text as JSON writes it."""
    return f'contains control characters: "{escaped}"; remove them'


def check_malformed(ground: Ground, row: Malformed) -> None:
    """Sends a request and reads back every violation, and no other."""
    request, violations = row
    refusal = refusals.of(ground.call, request)
    assert list(refusal.violations) == list(violations)
    assert refusal.told() == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", {})
    assert refusal.message == "; ".join(f"{field}: {text}" for field, text in violations)


def check_refused(ground: Ground, row: Refused) -> None:
    """Sends a request that is well formed and cannot be granted."""
    request, (code, reason, metadata), message = row
    refusal = refusals.of(ground.call, request)
    assert refusal.told() == (grpc.StatusCode[code], reason, metadata)
    assert refusal.message == message
    assert refusal.violations == ()


def refusal_of(ground: Ground, request: Message) -> refusals.Refusal | None:
    """How a request is refused, with exactly one reason of ours; None where it is granted."""

    def repeat(error: grpc.RpcError) -> None:
        raise error

    try:
        ground.call(request)
    except grpc.RpcError as error:
        return refusals.of(repeat, error)
    return None
