"""Opaque page tokens: where a listing stopped, bound to what was listed.

A token carries the last key and a digest of it, the method and its filter; with any other
filter it is refused rather than silently continued somewhere else. The digest is no secret.
"""

import base64
import hashlib
import itertools
from collections.abc import Sequence
from typing import TypeVar

from google.protobuf import message
from google.protobuf.internal import containers

from moorage_server.api import limits
from moorage_server.api.violations import Violations
from moorage_server.domain import errors

M = TypeVar("M", bound=message.Message)

_DIGEST = 16
GREATEST = 2**63 - 1  # of the numbers that rows have


def encode(request: message.Message, last_key: str) -> str:
    """The token that continues behind `last_key`."""
    text = _digest(request, last_key) + last_key
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(request: message.Message, token: str) -> str:
    """The key to continue behind; empty for the first page. Raises PageTokenMismatch."""
    if not token:
        return ""
    if len(token) > limits.PAGE_TOKEN_LENGTH:
        raise errors.PageTokenMismatch
    try:
        padded = token + "=" * (-len(token) % 4)
        text = base64.urlsafe_b64decode(padded.encode()).decode()
    except ValueError:  # no base64, or not of text
        raise errors.PageTokenMismatch from None
    last_key = text[_DIGEST:]
    if text[:_DIGEST] != _digest(request, last_key):
        raise errors.PageTokenMismatch
    return last_key


def number(key: str) -> int:
    """The number that a key of a page is; raises ValueError."""
    if not (key.isascii() and key.isdigit() and int(key) <= GREATEST):
        raise ValueError("not the token of a page; give next_page_token as it came")
    return int(key)


def _digest(request: message.Message, last_key: str) -> str:
    """Of what a listing is, its type and every field but those that turn the page, and the key."""
    listing = type(request)()
    listing.CopyFrom(request)
    listing.ClearField("page_token")
    listing.ClearField("page_size")
    content = listing.SerializeToString(deterministic=True)
    name = request.DESCRIPTOR.full_name
    return hashlib.sha256(f"{name} {last_key} ".encode() + content).hexdigest()[:_DIGEST]


def fitting(page: Sequence[M], most: int = limits.PAGE_BYTES) -> list[M]:
    """As much of a page as goes into one message, but something: labels make rows large."""
    return list(page[: _count(page, most)])


def shorten(answer: message.Message, page: containers.RepeatedCompositeFieldContainer[M]) -> bool:
    """Takes from an answer what of its page does not fit; whether that was anything."""
    if answer.ByteSize() <= limits.PAGE_BYTES:
        return False
    fit = _count(page, limits.PAGE_BYTES)
    is_shorter = fit < len(page)
    del page[fit:]
    return is_shorter


def _count(page: Sequence[M], most: int) -> int:
    sizes = itertools.accumulate(each.ByteSize() for each in page)
    return max(sum(size <= most for size in sizes), 1)


def page_size(found: Violations, value: int) -> int:
    """How many to return: the default for 0, clamped to the maximum."""
    if value < 0:
        found.add("page_size", f"is {value}; leave it out or give 1 to {limits.PAGE_SIZE_MAXIMUM}")
    return min(value, limits.PAGE_SIZE_MAXIMUM) if value > 0 else limits.PAGE_SIZE_DEFAULT
