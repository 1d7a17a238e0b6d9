"""Watch: where a watch begins, everything that is held at one revision, and what follows."""

import dataclasses
from collections.abc import Callable

from moorage_server.domain import catalog, errors, feed, history, model
from moorage_server.storage import allocations, catalogs, database
from moorage_server.storage import feed as stored

PAGE = 1000  # events, or allocations, read at once


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the feed of a VRF is, and which pools it is about, by id; none for all."""

    vrf: str
    vrf_id: int
    head: feed.Cursor
    pools: frozenset[str] = frozenset()


def begin(
    store: database.Database,
    limits: database.Limits,
    compiled: catalogs.Catalogs,
    *,
    wanted: model.AllocationFilter,
    pools: tuple[str, ...],
    cursor: feed.Cursor | None,
) -> tuple[model.AllocationFilter, Place]:
    """The filter with its pools resolved, and where the feed is.

    Raises VrfNotFound, PoolNotFound, or CursorUnknown.
    """

    def work(transaction: database.Transaction) -> tuple[model.AllocationFilter, Place]:
        at = stored.place(transaction, wanted.vrf)
        head = feed.Cursor(epoch=at.epoch, revision=at.head)
        if cursor is not None:
            feed.require_known(wanted.vrf, cursor, head)
        known = _catalog(transaction, compiled, wanted.vrf)
        named = [known.named(each) for each in pools]
        names = frozenset(each.name for each in named)
        place = Place(vrf=wanted.vrf, vrf_id=at.vrf_id, head=head, pools=names)
        return dataclasses.replace(wanted, pools=tuple(each.pool.cidr for each in named)), place

    return store.run(work, limits, snapshot=True)


def following(
    store: database.Database, limits: database.Limits, *, vrf: str, cursor: feed.Cursor
) -> list[history.Event]:
    """The next events behind a cursor, in order; none where there are none yet.

    Raises VrfNotFound, CursorUnknown, or CursorExpired.
    """

    def work(transaction: database.Transaction) -> list[history.Event]:
        at = stored.place(transaction, vrf)
        feed.require_known(vrf, cursor, feed.Cursor(epoch=at.epoch, revision=at.head))
        upto = min(at.head, cursor.revision + PAGE)
        return stored.numbered(transaction, at, vrf, after=cursor.revision, upto=upto)

    return store.run(work, limits)


def snapshot(
    store: database.Database,
    limits: database.Limits,
    tell: Callable[[list[history.Holding]], None],
    compiled: catalogs.Catalogs,
    *,
    wanted: model.AllocationFilter,
) -> feed.Cursor:
    """Tells of everything that is held at one revision, page by page; returns which it is.

    What `tell` raises ends it. Raises VrfNotFound.
    """
    begun = False

    def work(transaction: database.Transaction) -> feed.Cursor:
        nonlocal begun
        if begun:
            # What was told is of a moment that is gone with its connection.
            raise errors.DatabaseUnavailable
        begun = True
        at = stored.place(transaction, wanted.vrf)
        rewind = feed.Rewind(stored.unnumbered(transaction, at, wanted.vrf))
        _tell_held(transaction, tell, rewind, _catalog(transaction, compiled, wanted.vrf), wanted)
        tell(rewind.restored(wanted))
        return feed.Cursor(epoch=at.epoch, revision=at.head)

    return store.run(work, limits, snapshot=True)


def _tell_held(
    transaction: database.Transaction,
    tell: Callable[[list[history.Holding]], None],
    rewind: feed.Rewind,
    known: catalog.Catalog,
    wanted: model.AllocationFilter,
) -> None:
    after = None
    while page := allocations.page(transaction, known.vrf_id, wanted, after=after, limit=PAGE):
        held = (
            history.Holding(allocation=each.allocation, pool=each.pool.name)
            for each in known.show(page)
        )
        tell(rewind.kept(held))
        after = page[-1].address


def _catalog(
    transaction: database.Transaction, compiled: catalogs.Catalogs, vrf: str
) -> catalog.Catalog:
    scope = compiled.scopes(transaction, {(vrf, "")}).get((vrf, ""))
    if scope is None:
        raise errors.VrfNotFound(vrf)
    return scope.catalog
