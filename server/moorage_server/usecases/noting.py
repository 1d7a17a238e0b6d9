"""Notes who has changed what of a resource, within the transaction that does it."""

from typing import Final

from moorage_server.domain import audit, resources
from moorage_server.domain.actors import Act
from moorage_server.domain.audit import Kind, Note
from moorage_server.storage import changes, database

_KINDS: Final = {
    resources.Vrf: Kind.VRF,
    resources.Pool: Kind.POOL,
    resources.Reservation: Kind.RESERVATION,
    resources.Node: Kind.NODE,
}

_Resource = resources.Vrf | resources.Pool | resources.Reservation | resources.Node


def note(
    transaction: database.Transaction,
    by: Act,
    method: str,
    *,
    before: _Resource | None = None,
    after: _Resource | None = None,
) -> None:
    """Notes a change, last of all; without `before` it is new, without `after` gone."""
    of = after or before
    if of is None:
        raise AssertionError("a change of nothing")
    vrf = of.name if isinstance(of, resources.Vrf) else of.vrf
    was, becomes = ({} if each is None else audit.fields(each) for each in (before, after))
    told = Note(
        method=method, kind=_KINDS[type(of)], vrf=vrf, name=of.name, before=was, after=becomes
    )
    changes.add(transaction, by, told)
