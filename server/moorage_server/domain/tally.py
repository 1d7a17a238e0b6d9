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

    def give(self, workload: model.Workload, addresses: int) -> None:
        """A workload has so many more."""
        for each in holders(workload):
            if each in self._counts:
                self._counts[each].held += addresses

    def give_back(self, allocation: model.Allocation, *, is_kept: bool) -> None:
        """One less is held; it may stay its owner's, and counts for his namespace then."""
        facts, key = allocation.facts, allocation.attachment
        keeping = Keeping(facts.owner_key, key.network, key.interface)
        for each in filter(self._counts.__contains__, holders(facts.workload)):
            self._counts[each].held -= 1
            if is_kept and each.owns(facts.owner_key):
                self._counts[each].kept[keeping] += 1

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
