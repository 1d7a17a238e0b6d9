"""Addresses and ranges: what is read, what is refused, and sets of them."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage_server.domain.addresses import (
    Family,
    RangeSet,
    Span,
    parse_address,
    parse_network,
    parse_network_or_address,
)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("FD00:0:0::1", "fd00::1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("::ffff:a00:1", "10.0.0.1"),
        ("::", "::"),
    ],
)
def test_an_address_has_one_value_however_it_is_spelt(text: str, canonical: str) -> None:
    assert str(parse_address(text)) == canonical


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not an IPv4 or IPv6 address"),
        ("10.0.0.256", "not an IPv4 or IPv6 address"),
        ("010.0.0.1", "not an IPv4 or IPv6 address"),
        (" 10.0.0.1", "not an IPv4 or IPv6 address"),
        ("10.0.0.1\n", "not an IPv4 or IPv6 address"),
        ("10.0.0.1\0", "not an IPv4 or IPv6 address"),
        ("10.0.0", "not an IPv4 or IPv6 address"),
        ("0x0a000001", "not an IPv4 or IPv6 address"),
        ("167772161", "not an IPv4 or IPv6 address"),
        ("\u0661\u0660.0.0.1", "not an IPv4 or IPv6 address"),
        ("fe80::1%eth0", "zone"),
        ("fe80::1%a\nb", "zone"),
        ("10.0.0.1/32", "prefix length is not expected"),
    ],
)
def test_what_is_not_an_address_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_address(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("10.0.0.0", "prefix length is missing"),
        ("10.0.0.5/24", "did you mean 10.0.0.0/24"),
        ("fd00::1/64", "did you mean fd00::/64"),
        ("10.0.0.0/255.255.255.0", "must be a plain number"),
        ("10.0.0.0/0.0.0.255", "must be a plain number"),
        ("10.0.0.0/+24", "must be a plain number"),
        ("10.0.0.0/ 24", "must be a plain number"),
        ("10.0.0.0/024", "must be a plain number"),
        ("10.0.0.0/²4", "must be a plain number"),
        ("10.0.0.0/33", "must be at most 32"),
        ("::ffff:10.0.0.0/120", "IPv4-mapped"),
        ("fe80::%eth0/64", "zones"),
        ("10.0.0.0/", "must be a plain number"),
        ("/24", "not an IPv4 or IPv6 address"),
    ],
)
def test_what_is_not_a_cidr_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_network(text)


@pytest.mark.parametrize(
    ("text", "cidr"),
    [("10.0.0.0/24", "10.0.0.0/24"), ("10.0.0.7", "10.0.0.7/32"), ("fd00::", "fd00::/128")],
)
def test_a_single_address_is_the_cidr_that_holds_it_alone(text: str, cidr: str) -> None:
    assert str(parse_network_or_address(text)) == cidr


@pytest.mark.parametrize(
    ("text", "first", "size"),
    [
        ("10.0.0.5", "10.0.0.5", 1),
        ("10.0.0.0/30", "10.0.0.0", 4),
        ("10.0.0.9-10.0.0.12", "10.0.0.9", 4),
        ("fd00::-fd00::f", "fd00::", 16),
    ],
)
def test_a_range_is_an_address_a_cidr_or_first_last(text: str, first: str, size: int) -> None:
    span = Span.parse(text)
    assert str(span.family.address(span.first)) == first
    assert span.size == size


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("10.0.0.9-10.0.0.8", "ends before it begins"),
        ("10.0.0.9-fd00::1", "of one family"),
        ("10.0.0.9-", "not an IPv4 or IPv6 address"),
        ("10.0.0.1-10.0.0.2-10.0.0.3", "not an IPv4 or IPv6 address"),
    ],
)
def test_what_is_not_a_range_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Span.parse(text)


def test_cover_is_a_matter_of_the_union() -> None:
    halves = RangeSet(Family.IPV4, map(Span.parse, ["192.168.1.0/26", "192.168.1.64/26"]))
    assert halves.covers(Span.parse("192.168.1.0/25"))
    assert not halves.covers(Span.parse("192.168.1.0/24"))
    assert halves.networks() == [ipaddress.ip_network("192.168.1.0/25")]


SPANS = st.lists(
    st.tuples(st.integers(0, 63), st.integers(0, 63)).map(
        lambda ends: Span(Family.IPV4, min(ends), max(ends))
    ),
    max_size=8,
)


@given(SPANS, st.integers(0, 63), st.integers(0, 63))
def test_a_range_set_agrees_with_a_set_of_numbers(spans: list[Span], one: int, other: int) -> None:
    ranges = RangeSet(Family.IPV4, spans)
    numbers = {value for span in spans for value in range(span.first, span.last + 1)}
    asked = Span(Family.IPV4, min(one, other), max(one, other))
    wanted = set(range(asked.first, asked.last + 1))
    assert (one in ranges) == (one in numbers)
    assert ranges.covers(asked) == (wanted <= numbers)
    assert ranges.touches(asked) == bool(wanted & numbers)
    assert ranges.size == len(numbers)
    assert ranges.within(asked).size == len(wanted & numbers)
