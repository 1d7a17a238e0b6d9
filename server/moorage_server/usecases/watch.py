"""Watch: where a watch begins, everything that is held at one revision, and what follows."""

import dataclasses
import itertools
from collections.abc import Callable

from moorage_server.domain import errors, feed, history, model
from moorage_server.storage import catalogs, database, held
from moorage_server.storage import feed as stored
from moorage_server.storage.interruption import Interruption
from moorage_server.usecases import query

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
        known = compiled.require(transaction, wanted.vrf).catalog
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

    return store.run(work, limits, snapshot=True)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Which revision everything was of that has been told, and what is still to be told of it.

    `released`: what was held at the revision and is not any more.
    """

    cursor: feed.Cursor
    released: list[history.Holding]


def snapshot(
    store: database.Database,
    limits: database.Limits,
    tell: Callable[[query.Page], None],
    compiled: catalogs.Catalogs,
    interruption: Interruption,
    *,
    wanted: model.AllocationFilter,
) -> Snapshot:
    """Tells of what is held, and was at one revision, page by page.

    What `tell` raises ends it, and so does an interruption. Raises VrfNotFound.
    """
    begun = False

    def work(transaction: database.Transaction) -> Snapshot:
        nonlocal begun
        if begun:
            # What was told is of a moment that is gone with its connection.
            raise errors.DatabaseUnavailable
        begun = True
        at = stored.place(transaction, wanted.vrf)
        rewind = feed.Rewind(stored.unnumbered(transaction, at, wanted.vrf))
        known = compiled.require(transaction, wanted.vrf).catalog
        with (
            interruption.ends(transaction),
            held.everything(transaction, known.vrf_id, wanted) as rows,
        ):
            interruption.require_none()
            stayed = (each for each in rows if not rewind.is_changed(each.address))
            while page := list(itertools.islice(stayed, PAGE)):
                tell(query.Page.of(known, page))
        cursor = feed.Cursor(epoch=at.epoch, revision=at.head)
        return Snapshot(cursor=cursor, released=rewind.restored(wanted))

    return store.run(work, limits, snapshot=True)
