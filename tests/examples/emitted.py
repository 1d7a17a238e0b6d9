"""Strict readers of the files that the examples keep: what they do not expect is a failure."""

import dataclasses
import ipaddress
import re

_SET = re.compile(r"\tset ([a-z][a-z0-9-]{0,254}-v([46])) \{\n\t\ttype ipv([46])_addr\n\t\}\n")
_FLUSH = re.compile(
    r"flush set inet (\S+) (\S+)\n(?:add element inet (\S+) (\S+) \{\n((?:\t\S+\n)+)\}\n)?"
)
_RECORD = re.compile(r"(\S+) IN (A|AAAA) (\S+)")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def sets(text: str, table: str = "moorage-default") -> dict[str, list[str]]:
    """The sets of an nftables file, in its order."""
    header, rest = text.split("\n", 1)
    assert header.startswith("# Kept by firewall_sets.py ")
    declared, rest = _between(rest, f"table inet {table} {{\n", "}\nflush", "}\n")
    names = [each[1] for each in _SET.finditer(declared)]
    assert all(each[2] == each[3] for each in _SET.finditer(declared))
    assert (_SET.sub("", declared), names) == ("", sorted(set(names)))
    found = {}
    for flush in _FLUSH.finditer(rest):
        flushed, name, filled, of, elements = flush.groups()
        assert (flushed, filled or table, of or name) == (table, table, name)
        found[name] = re.findall(r"\t([0-9a-f.:]+)(?:,\n(?!\Z)|\n\Z)", elements or "")
        assert len(found[name]) == (elements or "").count("\n")
        family = {str(ipaddress.ip_address(each).version) for each in found[name]}
        assert family <= {name[-1]}
        assert found[name] == sorted(set(found[name]), key=ipaddress.ip_address)
    assert (_FLUSH.sub("", rest), list(found)) == ("", names)
    return found


def _between(text: str, start: str, end: str, last: str) -> tuple[str, str]:
    """What is between two marks, and what follows; the second may also end the text."""
    assert text.startswith(start)
    if end in text:
        at = text.index(end)
    else:
        assert text.endswith(last)
        at = len(text) - len(last)
    return text[len(start) : at], text[at + len(last) :]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """What a zone file says."""

    origin: str
    ttl: int
    serial: int
    records: list[tuple[str, str]]  # names, relative to the origin, and addresses


def zone(text: str) -> Zone:
    """A zone file."""
    assert text.endswith("\n")
    header, origin, ttl, soa, name_server, *records = text.splitlines()
    assert header.startswith("; Kept by dns_zone.py ")
    assert soa.startswith("@ IN SOA ")
    by, mail, serial, *times = soa.removeprefix("@ IN SOA ").split(" ")
    assert (mail, len(times)) == ("hostmaster", 4)
    assert all(each.isdecimal() for each in times)
    assert name_server == f"@ IN NS {by}"
    assert 0 <= int(serial) < 2**32
    return Zone(
        origin=origin.removeprefix("$ORIGIN "),
        ttl=int(ttl.removeprefix("$TTL ")),
        serial=int(serial),
        records=[_record(each) for each in records],
    )


def _record(line: str) -> tuple[str, str]:
    match = _RECORD.fullmatch(line)
    assert match, line
    name, kind, text = match.groups()
    address = ipaddress.ip_address(text)
    assert (kind, str(address)) == ({4: "A", 6: "AAAA"}[address.version], text)
    assert all(_LABEL.fullmatch(label) for label in name.split(".")), line
    return name, text
