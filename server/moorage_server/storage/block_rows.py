"""Blocks as their rows have them: what is read of a row, and the columns to be written."""

import dataclasses
import json
from collections.abc import Sequence

from moorage_server.domain import blocks
from moorage_server.storage import arrays


def block(row: arrays.Row) -> blocks.Block:
    """The block in a row."""
    return blocks.Block(
        pool_id=row.pool_id,
        cidr=row.cidr,
        node=row.node,
        free=tuple(row.free),
        claim_time=row.claim_time,
        cooling=tuple(map(_cooling, row.cooling)),
        sticky=tuple(map(_sticky, row.sticky)),
    )


def frontier(row: arrays.Row) -> blocks.Frontier:
    """The frontier in a row."""
    runs = tuple((int(run.lower), int(run.upper)) for run in row.unused)
    return blocks.Frontier(pool_id=row.pool_id, unused=runs)


def columns(rows: Sequence[blocks.Block]) -> dict[str, object]:
    """The columns of blocks, each as one array."""
    return {
        "cidrs": arrays.texts(str(each.cidr) for each in rows),
        "nodes": arrays.texts(each.node for each in rows),
        "claim_times": arrays.texts(each.claim_time.isoformat() for each in rows),
        "frees": arrays.texts(arrays.numbers(each.free) for each in rows),
        "coolings": arrays.texts(_cooling_json(each) for each in rows),
        "stickies": arrays.texts(_sticky_json(each) for each in rows),
        "ready_ticks": arrays.numbers(each.next_ready_tick for each in rows),
    }


def _cooling_json(block: blocks.Block) -> str:
    return json.dumps([[each.ordinal, each.ready_tick, each.owner] for each in block.cooling])


def _sticky_json(block: blocks.Block) -> str:
    kept = [dataclasses.astuple(each) for each in block.sticky]  # in the order of the fields
    return json.dumps(kept)


def _sticky(kept: tuple[int, int, str, str, str, int]) -> blocks.Sticky:
    ordinal, ready_tick, owner_key, network, interface, cooled_tick = kept
    return blocks.Sticky(
        ordinal=ordinal,
        ready_tick=ready_tick,
        owner_key=owner_key,
        network=network,
        interface=interface,
        cooled_tick=cooled_tick,
    )


def _cooling(kept: tuple[int, int, str]) -> blocks.Cooling:
    ordinal, ready_tick, owner = kept
    return blocks.Cooling(ordinal=ordinal, ready_tick=ready_tick, owner=owner)
