"""What those hold whom quotas limit, as far as one transaction knows."""

from collections.abc import Iterable, Mapping

from moorage_server.domain import errors, model
from moorage_server.domain.quotas import Count, Holder, Keeping, Quotas, holders
from moorage_server.domain.setting import Contended


class Tally:
    """How much holders have, by what one transaction has counted and decided since."""

    def __init__(self) -> None:
        """Nobody was counted."""
        self._counts: dict[Holder, Count] = {}

    def count(self, counted: Mapping[Holder, Count]) -> None:
        """Adds holders who are given nothing by anybody else until the transaction ends."""
        self._counts |= counted

    def change(self, workload: model.Workload, by: int) -> None:
        """A workload has so many addresses more, or less."""
        for each in holders(workload):
            if each in self._counts:
                self._counts[each].held += by

    def check(
        self, request: model.AssignRequest, replaced: Iterable[model.Allocation], quotas: Quotas
    ) -> None:
        """Raises QuotaExceeded where somebody would have more than he may, and more than he has.

        What is `replaced` goes back with the request. Raises Contended for whom others count.
        """
        before = [each for held in replaced for each in holders(held.facts.workload)]
        attachment, vrf = request.attachment, request.attachment.vrf
        keeping = Keeping(request.facts.owner_key, attachment.network, attachment.interface)
        for holder, limit in quotas.of(request.facts.workload).items():
            more = len(request.addresses) - before.count(holder)
            if more <= 0:
                continue
            if holder not in self._counts:
                raise Contended
            if (held := self._counts[holder].beside(keeping, more)) + more > limit:
                raise errors.QuotaExceeded(vrf, *holder, limit=limit, held=held, more=more)
