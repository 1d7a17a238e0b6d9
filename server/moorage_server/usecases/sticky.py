"""Sticky addresses: listing them, and giving one up. They come to be in `release`."""

from moorage_server.domain import addresses, blocks, errors, model, needs, shelf
from moorage_server.domain.actors import NOBODY, Act
from moorage_server.domain.audit import Kind, Note
from moorage_server.domain.sticky import StickyAddress
from moorage_server.storage import blocks as rows
from moorage_server.storage import catalogs, changes, database, sticky


def page(
    store: database.Database,
    limits: database.Limits,
    compiled: catalogs.Catalogs,
    *,
    vrf: str,
    owner_key: str,
    after: addresses.Address | None,
    size: int,
) -> tuple[list[StickyAddress], bool]:
    """A page of sticky addresses in order, and whether more follow; raises VrfNotFound."""

    def work(transaction: database.Transaction) -> list[StickyAddress]:
        scope = compiled.require(transaction, vrf)
        return sticky.page(transaction, scope, owner_key=owner_key, after=after, limit=size + 1)

    found = store.run(work, limits, snapshot=True)
    return found[:size], len(found) > size


def delete(
    store: database.Database,
    limits: database.Limits,
    compiled: catalogs.Catalogs,
    *,
    vrf: str,
    address: addresses.Address,
    by: Act = NOBODY,
) -> StickyAddress:
    """Gives an address up; returns it as it was kept.

    Raises VrfNotFound, StickyAddressNotFound or Contention.
    """

    def work(transaction: database.Transaction) -> StickyAddress:
        kept = _given_up(transaction, compiled.require(transaction, vrf), address)
        note = Note(
            method="DeleteStickyAddress",
            kind=Kind.STICKY_ADDRESS,
            vrf=vrf,
            name=str(address),
            before={"owner_key": kept.owner_key, "pool": kept.pool.name},
        )
        changes.add(transaction, by, note)
        return kept

    return store.run(work, limits)


def _given_up(
    transaction: database.Transaction, scope: catalogs.Scope, address: addresses.Address
) -> StickyAddress:
    # The block's lock alone, in the place that it has in the order. Not the VRF's: all that
    # is decided here is in the block's row, whatever its pool has become since it was read.
    # No frontier either: a block that is empty now is closed by those who tidy up.
    missing = errors.StickyAddressNotFound(scope.catalog.vrf, str(address))
    try:
        offer = scope.catalog.holding(address)
    except errors.AddressNotInPool:
        raise missing from None
    on = shelf.Shelf(scope.now, scope.tick)
    block = _locked(transaction, scope, on, offer.block(offer.index_of(address)))
    kept = block.sticky_at(block.ordinal(address)) if block else None
    if block is None or kept is None:
        raise missing
    on.change(block.without_sticky(kept, model.owner_of(kept.owner_key)).at(on.tick))
    rows.write(transaction, scope.catalog.vrf_id, on)
    return StickyAddress(
        pool=offer.pool,
        address=address,
        owner_key=kept.owner_key,
        network=kept.network,
        interface=kept.interface,
        expire_time=on.time_of(kept.ready_tick),
    )


def _locked(
    transaction: database.Transaction,
    scope: catalogs.Scope,
    on: shelf.Shelf,
    cidr: addresses.Network,
) -> blocks.Block | None:
    inquiry = rows.Inquiry(transaction, scope.catalog.vrf_id, on, waiting=True)
    need = needs.BlockAt(cidr=cidr)
    on.add(need, inquiry.answer(need))
    if on.contended(need):
        raise errors.Contention
    return on.block(cidr)
