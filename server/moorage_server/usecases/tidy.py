"""Blocks do not stay for ever with nodes that do not use them."""

from collections.abc import Iterable

from moorage_server.domain import actors, addresses
from moorage_server.domain.audit import Kind, Note
from moorage_server.storage import affinities, changes, database, vrfs

IDLE = 900.0  # seconds that a block has been empty, at least, as in Calico
_TIDY = actors.of_server("tidy")
AT_ONCE = 1000  # a short transaction, whatever has piled up


def tidy(store: database.Database, limits: database.Limits, *, idle: float = IDLE) -> int:
    """Closes the empty blocks that nobody misses; returns how many."""

    def work(transaction: database.Transaction) -> int:
        closed = affinities.give_up_unused(transaction, idle=idle, limit=AT_ONCE)
        by_id = {vrf_id: vrf for vrf, vrf_id in vrfs.names(transaction).items()} if closed else {}
        for vrf_id, cidrs in closed.items():
            if cidrs:
                changes.add(transaction, _TIDY, _closed(by_id[vrf_id], cidrs))
        return sum(map(len, closed.values()))

    closed = 0
    while some := store.run(work, limits):
        closed += some
    return closed


def _closed(vrf: str, cidrs: Iterable[addresses.Network]) -> Note:
    before = {"cidrs": sorted(map(str, cidrs))}
    return Note(method="CloseBlocks", kind=Kind.BLOCK, vrf=vrf, name="", before=before)
