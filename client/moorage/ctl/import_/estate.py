"""What another IPAM leaves to this one, whatever its format: what `importer` brings about.

Pure: each format has a module of its own that reads it, and says here what it found.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field

from moorage.ctl import exits, manifests, specs
from moorage.v1 import admin_service_pb2, reconciliation_pb2

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A block with all that is held of it; `node` is empty where it belongs to none. `sticky` is
    what nobody holds and is kept for owners.
    """

    cidr: Network
    node: str
    addresses: tuple[admin_service_pb2.AdoptedAddress, ...]
    sticky: tuple[reconciliation_pb2.StickyAddress, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Estate:
    """What is left; `notes` are for people: what was read and is left alone.

    `source` is what the other IPAM is called. `contradictions`: by the name of a resource, why its
    manifests do not go together. `blocks` are as they are cut there; `addresses` are held, of
    `node`, where nothing is cut, and go into the blocks of the pools here. `kept` are the names
    of reservations for addresses that somebody holds elsewhere: nobody may hold them here.
    `is_exact`: every field of a pool is as it was there, so whatever is another here is told.
    """

    source: str
    manifests: tuple[manifests.Manifest, ...]
    contradictions: Mapping[str, str] = field(default_factory=dict)
    blocks: tuple[Block, ...] = ()
    addresses: tuple[admin_service_pb2.AdoptedAddress, ...] = ()
    node: str = ""
    kept: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
    is_exact: bool = False


def refuse_problems(sheet: specs.Place) -> None:
    """Raise exits.Failed with all that was found wrong, unless nothing was."""
    if sheet.problems:
        count = len(sheet.problems)
        summary = f"{count} problem{'s' if count > 1 else ''} in the dump; nothing was changed"
        raise exits.refused(summary, sheet.problems)


def order(cidr: Network) -> tuple[int, int]:
    """Return the place of a range among others: IPv4 first, then by address."""
    return cidr.version, int(cidr.network_address)


def slug(text: str) -> str:
    """Return an address or a range as a part of a name: "10.0.0.0/24" is "10-0-0-0-24"."""
    whole = f"{text}0" if text.endswith(":") else text
    return whole.translate(str.maketrans(".:/", "---"))
