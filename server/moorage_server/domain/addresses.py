"""Addresses and ranges as values: strict parsing and sets of ranges.

What a pool or a reservation does with a range is decided elsewhere.
"""

import bisect
import dataclasses
import enum
import ipaddress
import re
from collections.abc import Iterable, Iterator

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_PREFIX_LENGTH = re.compile(r"0|[1-9][0-9]{0,2}")
_LEADING_ZERO = re.compile(r"(^|[.:])0[0-9]+\.")


class Family(enum.IntEnum):
    """Address family; the value is the IP version."""

    IPV4 = 4
    IPV6 = 6

    @property
    def bits(self) -> int:
        """Length of an address of this family."""
        return 32 if self is Family.IPV4 else 128

    def address(self, value: int) -> Address:
        """The address with this integer value."""
        kind = ipaddress.IPv4Address if self is Family.IPV4 else ipaddress.IPv6Address
        return kind(value)


def family_of(value: Address | Network) -> Family:
    """The family of an address or network."""
    return Family(value.version)


def parse_address(text: str) -> Address:
    """Reads one address, strictly: no zone, no prefix length, no blanks.

    An IPv4-mapped IPv6 address is the IPv4 address it maps, so that one address
    has one value. Raises ValueError saying what is wrong with the text.
    """
    if "/" in text:
        raise ValueError("a prefix length is not expected here; give the address alone")
    address = _as_written(text)
    return _mapped(address) or address


def parse_network(text: str) -> Network:
    """Reads a CIDR, strictly: prefix length in digits, no host bits, not IPv4-mapped.

    Raises ValueError saying what is wrong with the text.
    """
    first, slash, length = text.partition("/")
    if not slash:
        raise ValueError("a prefix length is missing; write for example 10.0.0.0/24")
    address = _as_written(first)
    if not _PREFIX_LENGTH.fullmatch(length):
        raise ValueError("the prefix length must be a plain number: no netmask, no leading zero")
    if int(length) > address.max_prefixlen:
        raise ValueError(f"the prefix length must be at most {address.max_prefixlen}")
    kind = ipaddress.IPv4Network if address.version == 4 else ipaddress.IPv6Network
    network = kind((int(address), int(length)), strict=False)
    mapped = _mapped(network.network_address)
    if mapped is not None:
        raise ValueError(f"IPv4-mapped; write {mapped}/{network.prefixlen - 96}")
    if network.network_address != address:
        raise ValueError(f"host bits are set; did you mean {network}?")
    return network


def _as_written(text: str) -> Address:
    if "%" in text:
        raise ValueError("zones do not belong to an address; leave out the % part")
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        why = " (numbers have no leading zeros)" if _LEADING_ZERO.search(f"{text}.") else ""
        raise ValueError(
            f"not an IPv4 or IPv6 address{why}; write for example 10.0.0.7 or fd00::7"
        ) from None


def _mapped(address: Address) -> ipaddress.IPv4Address | None:
    return address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None


def parse_network_or_address(text: str) -> Network:
    """Reads a CIDR, or one address as the CIDR that holds it alone."""
    if "/" in text:
        return parse_network(text)
    return ipaddress.ip_network(parse_address(text))


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Span:
    """A run of addresses of one family, both ends included."""

    family: Family
    first: int
    last: int

    @classmethod
    def of(cls, value: Address | Network) -> "Span":
        """The span of a network, or of one address."""
        if isinstance(value, ipaddress.IPv4Address | ipaddress.IPv6Address):
            return cls(family_of(value), int(value), int(value))
        first, last = value.network_address, value.broadcast_address
        return cls(family_of(value), int(first), int(last))

    @classmethod
    def parse(cls, text: str) -> "Span":
        """Reads an address, a CIDR, or "first-last"."""
        first_text, dash, last_text = text.partition("-")
        if not dash:
            return cls.of(parse_network_or_address(text))
        first, last = parse_address(first_text), parse_address(last_text)
        if first.version != last.version:
            raise ValueError("both ends of a range must be of one family")
        if int(last) < int(first):
            raise ValueError("the range ends before it begins")
        return cls(family_of(first), int(first), int(last))

    def covers(self, other: "Span") -> bool:
        """Whether every address of the other span is in this one."""
        return self.family is other.family and self.first <= other.first <= other.last <= self.last

    def overlaps(self, other: "Span") -> bool:
        """Whether any address is in both."""
        same = self.family is other.family
        return same and self.first <= other.last and other.first <= self.last

    @property
    def size(self) -> int:
        """How many addresses."""
        return self.last - self.first + 1


class RangeSet:
    """An immutable set of addresses of one family, kept as disjoint runs."""

    def __init__(self, family: Family, spans: Iterable[Span] = ()) -> None:
        """Unites the spans of the family; those of the other are left out."""
        self.family = family
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for span in sorted(span for span in spans if span.family is family):
            if self._lasts and span.first <= self._lasts[-1] + 1:
                self._lasts[-1] = max(self._lasts[-1], span.last)
            else:
                self._firsts.append(span.first)
                self._lasts.append(span.last)

    def __iter__(self) -> Iterator[Span]:
        """The disjoint runs, in order."""
        for first, last in zip(self._firsts, self._lasts, strict=True):
            yield Span(self.family, first, last)

    def __contains__(self, value: int) -> bool:
        """Whether the address with this integer value is in the set."""
        at = bisect.bisect_right(self._firsts, value) - 1
        return at >= 0 and value <= self._lasts[at]

    def covers(self, span: Span) -> bool:
        """Whether the whole span is in the set."""
        at = bisect.bisect_right(self._firsts, span.first) - 1
        return at >= 0 and span.last <= self._lasts[at]

    def touches(self, span: Span) -> bool:
        """Whether any address of the span is in the set."""
        at = bisect.bisect_right(self._firsts, span.last) - 1
        return at >= 0 and self._lasts[at] >= span.first

    def within(self, span: Span) -> "RangeSet":
        """The part of the set inside the span."""
        clipped = (
            Span(self.family, max(run.first, span.first), min(run.last, span.last))
            for run in self
            if run.first <= span.last and run.last >= span.first
        )
        return RangeSet(self.family, clipped)

    @property
    def size(self) -> int:
        """How many addresses."""
        return sum(run.size for run in self)

    def networks(self) -> list[Network]:
        """The set as the fewest CIDRs."""
        return [
            network
            for run in self
            for network in ipaddress.summarize_address_range(
                self.family.address(run.first),
                self.family.address(run.last),
            )
        ]
