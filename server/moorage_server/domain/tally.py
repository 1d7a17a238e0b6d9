"""What those hold whom quotas limit, as far as one transaction knows."""

from collections.abc import Iterable, Mapping

from moorage_server.domain import errors, model
from moorage_server.domain.quotas import Holder, Quotas, holders
from moorage_server.domain.setting import Contended


class Tally:
    """How much holders have, by what one transaction has counted and decided since."""

    def __init__(self) -> None:
        """Nobody was counted."""
        self._held: dict[Holder, int] = {}

    def count(self, counted: Mapping[Holder, int]) -> None:
        """Adds holders who are given nothing by anybody else until the transaction ends."""
        self._held |= counted

    def change(self, workload: model.Workload, by: int) -> None:
        """A workload has so many addresses more, or less."""
        for each in holders(workload):
            if each in self._held:
                self._held[each] += by

    def check(
        self, request: model.AssignRequest, replaced: Iterable[model.Allocation], quotas: Quotas
    ) -> None:
        """Raises QuotaExceeded where somebody would have more than he may, and more than he has.

        What is `replaced` goes back with the request. Raises Contended for whom others count.
        """
        before = [each for held in replaced for each in holders(held.facts.workload)]
        for holder, limit in quotas.of(request.facts.workload).items():
            more = len(request.addresses) - before.count(holder)
            if more <= 0:
                continue
            if holder not in self._held:
                raise Contended
            if (held := self._held[holder]) + more > limit:
                vrf, (kind, name) = request.attachment.vrf, holder
                raise errors.QuotaExceeded(vrf, kind, name, limit=limit, held=held, more=more)
