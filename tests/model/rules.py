"""What a VRF may answer: rules, said as simply as they can be, which know no blocks.

Which of the addresses that it may give it gives, is not theirs to say.
"""

import copy
import dataclasses
from collections.abc import Iterator

from model.drivers import Answer
from model.pools import BY_NAME, COOLDOWN
from moorage_server.domain import addresses, errors, model, resources


@dataclasses.dataclass(slots=True)
class Known:
    """An attachment that was assigned or released; moments are those of its node's clock."""

    moment: int
    assigned: int = 0  # when its newest assign began
    pod: str = ""
    held: tuple[model.Allocation, ...] = ()


@dataclasses.dataclass(slots=True)
class Rules:
    """What is held, reserved, disabled and cooling."""

    tick: int = 0
    known: dict[str, Known] = dataclasses.field(default_factory=dict)
    reserved: set[str] = dataclasses.field(default_factory=set)
    disabled: set[str] = dataclasses.field(default_factory=set)
    ready: dict[addresses.Address, int] = dataclasses.field(default_factory=dict)

    def taken(self) -> dict[addresses.Address, str]:
        """Who holds what."""
        return {each.address: name for name, known in self.known.items() for each in known.held}

    def judge_assign(self, request: model.AssignRequest, answer: Answer) -> None:
        """Fails where the answer may not be; else knows what became of it."""
        name, moment = request.attachment.container_id, _moment(request)
        mine, pod = self.known.get(name), request.facts.workload.pod_uid
        others = {n: k for n, k in self.known.items() if pod and k.pod == pod and n != name}
        if mine is not None and mine.held:
            if not _suits(mine.held, request):
                assert answer == "ATTACHMENT_CHANGED"
                return
            assert answer == mine.held, "the same call again is answered differently"
            mine.moment = mine.assigned = max(moment, mine.moment)
        elif any(moment < each.assigned for each in others.values()):
            assert answer == "ATTACHMENT_SUPERSEDED"
        elif mine is not None and moment <= mine.moment:
            assert answer == "ATTACHMENT_RELEASED"
        else:
            self._judge_new(request, answer, others)

    def judge_release(self, request: model.ReleaseRequest, answer: Answer) -> None:
        """Fails where it freed what it must not, or did not what it should."""
        name, moment = request.attachment.container_id, _moment(request)
        mine = self.known.setdefault(name, Known(moment=moment))
        due = mine.held if moment >= mine.moment else ()
        if request.generations:
            due = tuple(each for each in due if each.generation in request.generations)
        assert answer == due, "not what its fences let it free"
        self._free(mine, due)
        if not mine.held:
            mine.moment = max(moment, mine.moment)

    def _judge_new(
        self, request: model.AssignRequest, answer: Answer, others: dict[str, Known]
    ) -> None:
        after = copy.deepcopy(self)
        holding = {name: each.held for name, each in others.items() if each.held}
        inherited = next((held for held in holding.values() if _suits(held, request)), ())
        for old in map(after.known.__getitem__, holding):
            if old.held == inherited:
                old.held = ()
            after._free(old, old.held)
            old.moment = max(old.assigned, _moment(request))
        refusal = None if inherited else after._refusal(request)
        if refusal is not None:
            assert answer == refusal
            return
        assert not isinstance(answer, str), f"refused with {answer}, and could be had"
        given = [each.address for each in answer]
        if inherited:
            assert given == [each.address for each in inherited], "the pod's addresses changed"
        else:
            after._judge_given(request, given)
        after._hold(request, answer)
        self.known, self.ready = after.known, after.ready

    def _judge_given(self, request: model.AssignRequest, given: list[addresses.Address]) -> None:
        assert len(given) == len(request.addresses)
        assert not set(given) & self.taken().keys(), "an address has two holders"
        for address, want in zip(given, request.addresses, strict=True):
            if want.candidates:
                free = [each for each in want.candidates if self._blocker(each) is None]
                assert address == free[0], f"{free[0]} was free and comes first"
            else:
                assert address in set(self._free_of(want)), f"{address} must not be given"

    def _refusal(self, request: model.AssignRequest) -> str | None:
        """Of the first address that cannot be had."""
        for want in sorted(request.addresses, key=lambda each: each.family):
            found = self._refusal_of(want)
            if found is not None:
                return found
        return None

    def _refusal_of(self, want: model.AddressRequest) -> str | None:
        named = {_pool_of(each).name for each in want.candidates} | {*want.pools}
        if named & self.disabled:
            return errors.PoolDisabled.reason
        if want.candidates:
            blockers = [self._blocker(each) for each in want.candidates]
            return None if None in blockers else max(filter(None, blockers), key=_PATIENT.index)
        if not list(self._pools(want)):
            return errors.NoEligiblePool.reason
        if any(self._free_of(want)):
            return None
        cooling = [each for each in self._of(want) if self._rests(each) and self._shown(each)]
        return errors.PoolCooling.reason if cooling else errors.PoolExhausted.reason

    def _blocker(self, address: addresses.Address) -> str | None:
        """Why one that is asked for by name cannot be had."""
        if address in self.taken():
            return errors.AddressInUse.reason
        return errors.AddressCooling.reason if self._rests(address) else None

    def _pools(self, want: model.AddressRequest) -> Iterator[resources.Pool]:
        for each in BY_NAME.values():
            named = each.name in want.pools or not want.pools
            if named and each.family is want.family and each.name not in self.disabled:
                yield each

    def _of(self, want: model.AddressRequest) -> Iterator[addresses.Address]:
        return (address for each in self._pools(want) for address in each.cidr)

    def _free_of(self, want: model.AddressRequest) -> Iterator[addresses.Address]:
        taken = self.taken()
        for each in self._of(want):
            if each not in taken and self._shown(each) and not self._rests(each):
                yield each

    def _shown(self, address: addresses.Address) -> bool:
        return not any(address in addresses.parse_network(each) for each in self.reserved)

    def _rests(self, address: addresses.Address) -> bool:
        return self.ready.get(address, 0) > self.tick

    def _free(self, known: Known, gone: tuple[model.Allocation, ...]) -> None:
        known.held = tuple(each for each in known.held if each not in gone)
        for each in gone:
            if _pool_of(each.address).name == "cool":
                self.ready[each.address] = self.tick + COOLDOWN + 1

    def _hold(self, request: model.AssignRequest, held: tuple[model.Allocation, ...]) -> None:
        moment = _moment(request)
        for each in held:
            self.ready.pop(each.address, None)
        self.known[request.attachment.container_id] = Known(
            moment=moment, assigned=moment, pod=request.facts.workload.pod_uid, held=held
        )


# The later one is told of where candidates are refused for different reasons.
_PATIENT = (errors.AddressInUse.reason, errors.AddressCooling.reason)


def _moment(request: model.AssignRequest | model.ReleaseRequest) -> int:
    assert request.attempt is not None
    return request.attempt.boot_time_ns


def _pool_of(address: addresses.Address) -> resources.Pool:
    return next(each for each in BY_NAME.values() if address in each.cidr)


def _suits(held: tuple[model.Allocation, ...], request: model.AssignRequest) -> bool:
    wants = request.addresses
    return len(held) == len(wants) and all(map(_is_answer, held, wants))


def _is_answer(held: model.Allocation, want: model.AddressRequest) -> bool:
    if want.candidates:
        return held.address in want.candidates
    family = addresses.family_of(held.address) is want.family
    return family and (not want.pools or _pool_of(held.address).name in want.pools)
