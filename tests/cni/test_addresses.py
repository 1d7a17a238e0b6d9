"""Addresses and pools are read by the rules of Go's net package, which CNI users know."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.cni import addresses, errors, origin

SOURCE = origin.Origin(
    name='annotation "a"',
    where="pod shop/web-0",
    value="[]",
    code=errors.Code.ANNOTATION_REFUSED,
)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("0.0.0.0", "0.0.0.0"),
        ("fd00::1", "fd00::1"),
        ("FD00:0:0::0001", "fd00::1"),
        ("::", "::"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("::ffff:a00:1", "10.0.0.1"),
        ("::10.0.0.1", "::a00:1"),
    ],
)
def test_an_address_is_read_as_go_reads_it(text: str, address: str) -> None:
    assert addresses.parse(text) == ipaddress.ip_address(address)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "010.0.0.1",
        "10.0.0.01",
        "fe80::1%eth0",
        "10.0.0.1/32",
        "fd00::1/128",
        " 10.0.0.1",
        "10.0.0.1 ",
        "10.0.0.1\n",
        "10.0.0",
        "10.0.0.256",
        "0x0a.0.0.1",
        "167772161",
        "1:2:3:4:5:6:7:8:9",
        "fd00:::1",
        "[fd00::1]",
        "\N{ARABIC-INDIC DIGIT ONE}0.0.0.1",
        "10.0.0.1\x00",
        "f" * 5000,
    ],
)
def test_what_go_refuses_as_an_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="invalid IP format"):
        addresses.parse(text)


@given(st.ip_addresses())
def test_every_address_is_read_back_from_its_own_text(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    assert addresses.parse(str(address)) == (mapped or address)


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_a_value_error(text: str) -> None:
    try:
        parsed = addresses.parse(text)
    except ValueError:
        return
    assert ipaddress.ip_address(str(parsed)) == parsed


@pytest.mark.parametrize(
    ("text", "family", "pool"),
    [
        ("web", 4, "web"),
        ("web", 6, "web"),
        ("a.b-c.d1", 4, "a.b-c.d1"),
        ("10.0.0.0", 4, "10.0.0.0"),
        ("10.0.0.0/24", 4, "10.0.0.0/24"),
        ("10.0.0.5/24", 4, "10.0.0.0/24"),
        ("0.0.0.0/0", 4, "0.0.0.0/0"),
        ("FD00:0::/64", 6, "fd00::/64"),
    ],
)
def test_a_pool_is_named_or_given_by_its_range(
    text: str, family: addresses.Family, pool: str
) -> None:
    assert addresses.pool(SOURCE, text, family) == pool


@pytest.mark.parametrize(
    ("text", "family", "rule"),
    [
        ("10.0.0.0/+24", 4, "invalid CIDR"),
        ("10.0.0.0/ 24", 4, "invalid CIDR"),
        ("10.0.0.0/024", 4, "invalid CIDR"),
        ("10.0.0.0/33", 4, "invalid CIDR"),
        ("10.0.0.0/255.255.255.0", 4, "invalid CIDR"),
        ("10.0.0.0/", 4, "invalid CIDR"),
        ("/24", 4, "invalid CIDR"),
        ("10.0.0.0/24/24", 4, "invalid CIDR"),
        ("010.0.0.0/24", 4, "invalid CIDR"),
        ("fe80::%eth0/64", 6, "invalid CIDR"),
        ("::ffff:10.0.0.0/120", 6, "invalid CIDR"),
        ("10.0.0.0/24", 6, "isn't a IPv6"),
        ("fd00::/64", 4, "isn't a IPv4"),
        ("", 4, "error parsing pool"),
        ("Web", 4, "error parsing pool"),
        ("web_1", 4, "error parsing pool"),
        ("-web", 4, "error parsing pool"),
        ("web\n", 4, "error parsing pool"),
        ("fd00::1", 6, "error parsing pool"),
        ("a" * 254, 4, "error parsing pool"),
    ],
)
def test_what_is_no_pool_is_refused_with_the_rule(
    text: str, family: addresses.Family, rule: str
) -> None:
    with pytest.raises(errors.CniError) as refused:
        addresses.pool(SOURCE, text, family)
    assert rule in refused.value.msg
    assert refused.value.details


@pytest.mark.parametrize("text", ["10.0.0.1/24", "10.0.0.1", "10.0.0.1/0", "10.0.0.1/32"])
def test_a_runtime_may_pass_an_address_with_its_prefix_length(text: str) -> None:
    assert addresses.parse_interface(text) == ipaddress.ip_address("10.0.0.1")


@pytest.mark.parametrize("text", ["10.0.0.1/33", "10.0.0.1/", "10.0.0.1/x", "10.0.0.1/-1", "/24"])
def test_a_prefix_length_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="invalid"):
        addresses.parse_interface(text)
