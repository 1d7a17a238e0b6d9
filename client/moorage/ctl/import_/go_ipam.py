"""moorctl import go-ipam: keeps what its dump has acquired from being assigned here.

A dump is a list of prefixes, in each of them the addresses that are taken; of by whom, it knows
nothing. So prefixes become pools, and the addresses reservations, one for each 256.
"""

from __future__ import annotations

import collections
import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import click

from moorage.cni import jsontext
from moorage.ctl import documents, manifests, settings, specs
from moorage.ctl.import_ import estate, flags, making, takeover, values
from moorage.v1 import resources_pb2

SOURCE = "go-ipam"

# By the version of the address: as many as a reservation can have entries.
_SLICE = {4: 24, 6: 120}


@click.command("go-ipam")
@click.argument("sources", metavar="DUMP...", nargs=-1, required=True)
@flags.how()
@settings.after_command
def command(where: settings.Settings, sources: Sequence[str], how: takeover.How) -> None:
    """Take over prefixes as pools, and what is acquired from them as reservations.

    \b
      curl -s -H 'Content-Type: application/json' -d '{}' \\
        http://127.0.0.1:9090/api.v1.IpamService/Dump > dump.json
      moorctl import go-ipam dump.json
      moorctl import go-ipam dump.json --apply

    DUMP is a file, a directory or "-": what Dump answers, or the list of prefixes in it. Without
    --apply it is shown what would be made and what is in the way. With a conflict anywhere, nothing
    is changed and the exit code is 4.

    go-ipam does not know who holds an address: each is kept by a reservation until that is changed
    or deleted. Importing again brings the reservations to what the dump says then. Prefixes that
    were cut into others are left out: those are the pools.
    """
    takeover.run(where, read(sources, where.vrf), how)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prefix:
    """A prefix, and the addresses that are taken of it; those of the network itself count."""

    where: str
    cidr: estate.Network
    is_parent: bool
    namespace: str
    taken: frozenset[values.Address]


def read(sources: Sequence[str], vrf: str) -> estate.Estate:
    """Return what go-ipam left; raises exits.Failed with all that is wrong."""
    sheet = specs.Place(where="")
    found = [
        prefix
        for document in documents.read(sources)
        for prefix in _prefixes(
            document.value, specs.Place(where=document.where, problems=sheet.problems)
        )
    ]
    _refuse_namespaces(found, sheet)
    estate.refuse_problems(sheet)
    parents = {each.cidr for each in found if each.is_parent}
    leaves = sorted(
        (each for each in found if not each.is_parent), key=lambda each: estate.order(each.cidr)
    )
    kept = [manifest for each in leaves for manifest in _reservations(each, vrf)]
    return estate.Estate(
        source=SOURCE,
        manifests=(*(_pool(each, vrf) for each in leaves), *kept),
        kept=frozenset(each.resource.name for each in kept),
        notes=tuple(
            f"{cidr} was cut into other prefixes; left out"
            for cidr in sorted(parents, key=estate.order)
        ),
    )


def _prefixes(value: object, place: specs.Place) -> Iterator[_Prefix]:
    """Yield the prefixes of a dump, which may stand as text in the answer of the service."""
    if isinstance(value, dict) and "dump" in value:
        inside = place.child("dump")
        yield from _prefixes(_decoded(value["dump"], inside), inside)
        return
    for at, each in enumerate(values.items(value, place)):
        given = values.mapping(each, place.item(at))
        prefix = _prefix(given, place.item(at)) if isinstance(each, dict) else None
        if prefix is not None:
            yield prefix


def _decoded(value: object, place: specs.Place) -> object:
    try:
        return jsontext.decode(values.text(value, place))
    except ValueError as error:
        place.refuse(f"must be the JSON of a list of prefixes: {error}")
        return []


def _prefix(given: Mapping[str, object], place: specs.Place) -> _Prefix | None:
    cidr = values.network(given.get("Cidr"), place.child("Cidr"))
    if cidr is None:
        return None
    inside = place.child("IPs")
    taken = set()
    for text, is_taken in values.mapping(given.get("IPs") or {}, inside).items():
        address = values.address(text, inside.child(text)) if is_taken else None
        if address is not None and address not in cidr:
            inside.child(text).refuse(f"is not in {cidr}")
        elif address is not None:
            taken.add(address)
    return _Prefix(
        where=f"{place.where}, {place.path}",
        cidr=cidr,
        # Old versions kept the length of what was cut off instead.
        is_parent=bool(given.get("IsParent") or given.get("ChildPrefixLength")),
        namespace=values.text(given.get("Namespace"), place.child("Namespace")),
        taken=frozenset(taken),
    )


def _refuse_namespaces(found: Sequence[_Prefix], sheet: specs.Place) -> None:
    spaces = sorted({each.namespace for each in found})
    if len(spaces) > 1:
        named = ", ".join(each or "the one without a name" for each in spaces)
        sheet.refuse(f"several namespaces: {named}; import each into a VRF of its own: --vrf")


def _pool(prefix: _Prefix, vrf: str) -> manifests.Manifest:
    """Return the pool of a prefix; go-ipam never gives the network's own addresses either."""
    made = resources_pb2.Pool(
        cidr=str(prefix.cidr), exclude_network_addresses=prefix.cidr.num_addresses > 2
    )
    return making.pool(f"{SOURCE}-{estate.slug(str(prefix.cidr))}", vrf, prefix.where, made)


def _reservations(prefix: _Prefix, vrf: str) -> Iterator[manifests.Manifest]:
    slices: dict[estate.Network, list[values.Address]] = collections.defaultdict(list)
    for address in sorted(prefix.taken - _own(prefix.cidr), key=int):
        length = max(_SLICE[address.version], prefix.cidr.prefixlen)
        slices[ipaddress.ip_network(address).supernet(new_prefix=length)].append(address)
    for cidr, addresses in slices.items():
        own_id, text = f"{SOURCE}-{estate.slug(str(cidr))}", f"acquired in {SOURCE}"
        yield making.reservation(own_id, vrf, prefix.where, _collapsed(addresses), text)


def _collapsed(addresses: Sequence[values.Address]) -> list[str]:
    """Return addresses as the ranges that they make up."""
    four = [ipaddress.IPv4Network(each) for each in addresses if each.version == 4]
    six = [ipaddress.IPv6Network(each) for each in addresses if each.version == 6]
    collapse = ipaddress.collapse_addresses
    return [str(each) for each in (*collapse(four), *collapse(six))]


def _own(cidr: estate.Network) -> frozenset[values.Address]:
    """Return what the pool withholds by itself: go-ipam counts it as taken."""
    if cidr.num_addresses <= 2:
        return frozenset()
    return frozenset({cidr[0], cidr[-1]} if cidr.version == 4 else {cidr[0]})
