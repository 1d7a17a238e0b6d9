"""Reads what `kubectl get ippools,ipreservations,ipamconfigs,ipamblocks,blockaffinities,ipamhandles
-o json` (or yaml) prints of Calico: what there is, and who holds it.

Pure: what of it is on the server already is the matter of `plan`. Every allocation is in the
blocks; handles only say the same again, so a dump without them is a whole one.
"""

from __future__ import annotations

import collections
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from moorage.ctl import calico, calico_pools, changes, documents, manifests, specs
from moorage.ctl.import_ import estate, holders, values
from moorage.v1 import resources_pb2

SOURCE = "Calico"

_HOST = "host:"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    """A block as Calico has it."""

    cidr: estate.Network
    node: str
    holdings: tuple[holders.Holding, ...]


@dataclass(slots=True)
class _Pile:
    """What has been read so far."""

    vrf: str
    manifests: dict[str, manifests.Manifest] = field(default_factory=dict)
    contradictions: dict[str, str] = field(default_factory=dict)
    blocks: dict[estate.Network, _Block] = field(default_factory=dict)
    affinities: dict[tuple[str, estate.Network], bool] = field(default_factory=dict)
    handles: dict[tuple[str, estate.Network], int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read(sources: Sequence[str], vrf: str, origin: holders.Origin) -> estate.Estate:
    """Return what files, directories and "-" tell; raises exits.Failed with all that is wrong."""
    sheet, pile = specs.Place(where=""), _Pile(vrf=vrf)
    for document in documents.read(sources):
        _take(document.value, specs.Place(where=document.where, problems=sheet.problems), pile)
    estate.refuse_problems(sheet)
    return estate.Estate(
        source=SOURCE,
        manifests=tuple(pile.manifests.values()),
        contradictions=pile.contradictions,
        blocks=tuple(_left(block, origin) for block in _affine(pile)),
        notes=(*pile.notes, *_unclaimed(pile), *_disagreements(pile), *_of_manifests(pile)),
    )


def _left(block: _Block, origin: holders.Origin) -> estate.Block:
    addresses = tuple(holders.adopted(each, origin) for each in block.holdings)
    return estate.Block(cidr=block.cidr, node=block.node, addresses=addresses)


def _of_manifests(pile: _Pile) -> Iterator[str]:
    for each in pile.manifests.values():
        yield from (f"{each.label}: {text}" for text in each.notes)
    for each in pile.manifests.values():
        if each.withdrawn:
            text = "is being deleted in Calico; the pool that is made of it is drained"
            yield f"{each.label}: {text}"


def _take(value: object, place: specs.Place, pile: _Pile) -> None:
    kind = value.get("kind") if isinstance(value, dict) else None
    spec = value.get("spec") if isinstance(value, dict) else None
    match kind:
        case "IPReservation" if _hides_nothing(spec):
            pile.notes.append(f"{place.where}: IPReservation without reservedCIDRs; left out")
        case "IPPool" | "IPReservation" | "IPAMConfig" | "IPAMConfiguration":
            _take_manifest(value, place, pile)
        case "IPAMBlock":
            _take_block(values.mapping(spec, place), place.child("spec"), pile)
        case "BlockAffinity":
            _take_affinity(values.mapping(spec, place), place.child("spec"), pile)
        case "IPAMHandle":
            _take_handle(values.mapping(spec, place), place.child("spec"), pile)
        case str():
            pile.notes.append(f"{place.where}: {kind} is not of the IPAM; left out")
        case _:
            place.child("kind").refuse("must be that of a Calico resource")


def _take_manifest(value: object, place: specs.Place, pile: _Pile) -> None:
    manifest = calico.read(value, pile.vrf, place)
    # What is wrong keeps the dump from being read, and is compared with nothing.
    if manifest is None or place.problems:
        return
    if isinstance(manifest.resource, resources_pb2.Pool):
        # Written out, so that it is the same whether or not it was given.
        manifest.resource.block_size = calico_pools.block_size_of(manifest.resource)
    known = pile.manifests.setdefault(manifest.resource.name, manifest)
    different = changes.differences(known.resource, manifest.resource, manifest.fields)
    if different or known.withdrawn != manifest.withdrawn:
        pile.contradictions[manifest.resource.name] = (
            f"{manifest.where} does not say the same as {known.where}"
            f"{': ' if different else ''}{', '.join(different)}; leave one of them"
        )


def _hides_nothing(spec: object) -> bool:
    """Whether an IPReservation is empty, which Calico takes and which has no meaning here."""
    return not isinstance(spec, dict) or not spec.get("reservedCIDRs")


def _take_block(spec: Mapping[str, object], place: specs.Place, pile: _Pile) -> None:
    cidr = values.network(spec.get("cidr"), place.child("cidr"))
    if cidr is None:
        return
    if spec.get("deleted") in (True, "true"):
        pile.notes.append(f"block {cidr} is deleted in Calico, and left out")
        return
    affinity = values.text(spec.get("affinity"), place.child("affinity"))
    node = affinity.removeprefix(_HOST) if affinity.startswith(_HOST) else ""
    block = _Block(cidr=cidr, node=node, holdings=_holdings(cidr, spec, place))
    if pile.blocks.setdefault(cidr, block) != block:
        place.refuse(f"the block {cidr} is there twice, and not the same")


def _holdings(
    cidr: estate.Network, spec: Mapping[str, object], place: specs.Place
) -> tuple[holders.Holding, ...]:
    allocations, attributes = spec.get("allocations"), spec.get("attributes") or []
    if not isinstance(allocations, list) or len(allocations) != cidr.num_addresses:
        place.child("allocations").refuse(f"must be a list of {cidr.num_addresses} entries")
        return ()
    if not isinstance(attributes, list):
        place.child("attributes").refuse("must be a list")
        return ()
    found = []
    for ordinal, index in enumerate(allocations):
        if index is None:
            continue
        if type(index) is not int or not 0 <= index < len(attributes):
            text = f"must be null or an index of the {len(attributes)} attributes"
            place.child("allocations").item(ordinal).refuse(text)
            continue
        entry = values.mapping(attributes[index], place.child("attributes").item(index))
        if not _is_released(entry):
            inside = place.child("attributes").item(index)
            found.append(_holding(str(cidr[ordinal]), entry, inside))
    return tuple(found)


def _is_released(entry: Mapping[str, object]) -> bool:
    """Whether an address was released and only waits to be free again."""
    return any(
        str(key).lower().replace("_", "") == "releasedat" and value for key, value in entry.items()
    )


def _holding(address: str, entry: Mapping[str, object], place: specs.Place) -> holders.Holding:
    attributes = entry.get("secondary")
    known = attributes if isinstance(attributes, dict) else {}
    return holders.Holding(
        address=address,
        handle=_handle(entry.get("handle_id"), place.child("handle_id")),
        attributes={
            str(key): values.text(value, place.child("secondary"))
            for key, value in known.items()
            if value is not None
        },
    )


def _take_affinity(spec: Mapping[str, object], place: specs.Place, pile: _Pile) -> None:
    cidr, state = (
        values.network(spec.get("cidr"), place.child("cidr")),
        spec.get("state") or "confirmed",
    )
    if cidr is None or state == "pending" or (spec.get("type") or "host") != "host":
        return
    gone = state == "pendingDeletion" or spec.get("deleted") in (True, "true")
    pile.affinities[values.text(spec.get("node"), place.child("node")), cidr] = not gone


def _take_handle(spec: Mapping[str, object], place: specs.Place, pile: _Pile) -> None:
    counts = spec.get("block") or {}
    handle = _handle(spec.get("handleID"), place.child("handleID"))
    if spec.get("deleted") in (True, "true") or not isinstance(counts, dict):
        return
    for text, count in counts.items():
        cidr = values.network(text, place.child("block"))
        if cidr is not None and type(count) is int:
            pile.handles[handle, cidr] = count


def _affine(pile: _Pile) -> list[_Block]:
    """Return the blocks in order, without their node where it is giving them up."""
    ordered = sorted(pile.blocks.values(), key=lambda block: estate.order(block.cidr))
    return [
        _Block(cidr=block.cidr, node="", holdings=block.holdings)
        if pile.affinities.get((block.node, block.cidr)) is False
        else block
        for block in ordered
    ]


def _unclaimed(pile: _Pile) -> list[str]:
    """Return notes about affinities that no block confirms."""
    ordered = sorted(pile.affinities.items(), key=lambda entry: estate.order(entry[0][1]))
    return [
        f"node {node} claims block {cidr}, which is not its own in Calico; left alone"
        for (node, cidr), confirmed in ordered
        if confirmed and (cidr not in pile.blocks or pile.blocks[cidr].node != node)
    ]


def _disagreements(pile: _Pile) -> list[str]:
    """Return notes about handles that count otherwise than their blocks."""
    if not pile.handles:
        return []
    counted = collections.Counter(
        (holding.handle, block.cidr)
        for block in pile.blocks.values()
        for holding in block.holdings
        if holding.handle
    )
    keys = pile.handles.keys() | counted.keys()
    wrong = [key for key in keys if pile.handles.get(key, 0) != counted[key]]
    return [
        f"handle {handle} counts {pile.handles.get((handle, cidr), 0)} addresses of block {cidr}, "
        f"and the block {counted[handle, cidr]}; the block is believed"
        for handle, cidr in sorted(wrong, key=lambda key: (key[0], estate.order(key[1])))
    ]


def _handle(value: object, place: specs.Place) -> str:
    """Return a handle as it was meant: old data goes on after a carriage return."""
    return values.text(value, place).partition("\r")[0]
