"""ExportVrf: all that a VRF is made of and that is held in it, in one snapshot."""

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol, TypeVar

from moorage_server.domain import errors, model, resources, sticky, usage
from moorage_server.storage import catalogs, database, feed, held, nodes, pools, reservations, vrfs
from moorage_server.storage import sticky as kept
from moorage_server.storage import usage as counted
from moorage_server.storage.interruption import Interruption
from moorage_server.usecases import query

PAGE = 250  # of what is told at once; whoever takes it is given seconds for each

T = TypeVar("T")
N = TypeVar("N", resources.Node, resources.Pool, resources.Reservation)


class _Listing(Protocol[N]):
    def __call__(
        self,
        connection: database.Transaction,
        vrf: str,
        *,
        labels: Mapping[str, str],
        after: str,
        limit: int,
    ) -> list[N]: ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What comes first: the VRF itself, and how far its feed had come at least."""

    vrf: resources.Vrf
    position: model.Position


# What is told of at once: of one kind, in the order in which kinds come.
Part = (
    Opening
    | list[resources.Node]
    | list[resources.Pool]
    | list[resources.Reservation]
    | list[usage.OpenBlock]
    | list[sticky.StickyAddress]
    | query.Page
)


def export(
    store: database.Database,
    limits: database.Limits,
    tell: Callable[[Part], None],
    interruption: Interruption,
    compiled: catalogs.Catalogs,
    *,
    vrf: str,
) -> None:
    """Tells of everything, one kind after the other; raises VrfNotFound, and what `tell` raises."""
    begun = False

    def work(transaction: database.Transaction) -> None:
        nonlocal begun
        if begun:
            # What was told is of a moment that is gone with its connection.
            raise errors.DatabaseUnavailable
        scope = compiled.require(transaction, vrf)
        with interruption.ends(transaction):
            interruption.require_none()
            for part in _administered(transaction, scope, vrf):
                begun = True
                tell(part)
            wanted = model.AllocationFilter(vrf=vrf)
            # A page of each fetch: the transaction stands idle while one is taken, not several.
            with held.everything(transaction, scope.catalog.vrf_id, wanted, fetched=PAGE) as rows:
                while page := list(itertools.islice(rows, PAGE)):
                    interruption.require_none()
                    tell(query.Page.of(scope.catalog, page))

    store.run(work, limits, snapshot=True)


def _administered(
    transaction: database.Transaction, scope: catalogs.Scope, vrf: str
) -> Iterator[Part]:
    """What is not held."""
    at = feed.place(transaction, vrf)
    position = model.Position(epoch=at.epoch, revision=at.head)
    yield Opening(vrf=vrfs.get(transaction, vrf), position=position)

    def named(listing: _Listing[N]) -> Iterator[list[N]]:
        return _pages(
            lambda last: listing(
                transaction, vrf, labels={}, after=last.name if last else "", limit=PAGE
            )
        )

    yield from named(nodes.page)
    yield from named(pools.page)
    yield from named(reservations.page)
    yield from _pages(
        lambda last: counted.blocks(
            transaction, scope, of=None, node="", after=last.cidr if last else None, limit=PAGE
        )
    )
    yield from _pages(
        lambda last: kept.page(
            transaction, scope, owner_key="", after=last.address if last else None, limit=PAGE
        )
    )


def _pages(read: Callable[[T | None], list[T]]) -> Iterator[list[T]]:
    """The pages of a listing; `read` is given the last one of the page before."""
    last = None
    while page := read(last):
        yield page
        last = page[-1]
