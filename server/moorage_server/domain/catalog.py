"""Which pools serve a request, and in what order.

A `Catalog` is one VRF's pools and reservations, compiled for deciding. Which
address is taken from the pools it returns is decided in `automatic` and `fixed`.
"""

import dataclasses
import datetime
import uuid
from collections.abc import Iterable, Mapping

from moorage_server.domain import addresses, eligibility, errors, model, resources
from moorage_server.domain.eligibility import Asker, PassedOver, Rule
from moorage_server.domain.offers import Offer, cidr_of
from moorage_server.domain.quarantine import Quarantine
from moorage_server.domain.quotas import Quotas

_UNLIMITED = Quotas()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An allocation with its pool, which says in what form it is returned."""

    allocation: model.Allocation
    pool: resources.Pool


class Catalog:
    """One VRF's configuration and pools, sorted by priority and name.

    True until its version or, where a reservation expires, its time is over.
    """

    def __init__(
        self,
        *,
        vrf_id: int,
        vrf: str,
        version: uuid.UUID,
        offers: tuple[Offer, ...],
        configuration: resources.VrfConfiguration,
        expire_time: datetime.datetime | None = None,
        quarantines: tuple[Quarantine, ...] = (),
        quotas: Quotas = _UNLIMITED,
    ) -> None:
        """Takes compiled pools in any order."""
        self.vrf_id = vrf_id
        self.vrf = vrf
        self.version = version
        self.configuration = configuration
        self.expire_time = expire_time
        self.quarantines = quarantines
        self.quotas = quotas
        self.offers = sorted(offers, key=lambda each: (-each.pool.priority, each.name))
        # Blocks in these have nothing to give; one look passes over all of them.
        self.hidden_blocks = tuple(
            network
            for each in offers
            for network in each.hidden.networks()
            if network.prefixlen <= each.pool.block_size
        )
        self._by_name = {each.name: each for each in offers}
        self._by_cidr = {each.pool.cidr: each for each in offers}
        self._by_first = {family: _by_first(family, offers) for family in addresses.Family}
        self._by_id = {each.pool_id: each for each in offers}

    def is_over(self, now: datetime.datetime) -> bool:
        """Whether a reservation has expired since this was compiled."""
        return self.expire_time is not None and self.expire_time <= now

    def require_open(self) -> None:
        """Raises VrfQuarantined where nothing new is assigned."""
        if self.quarantines:
            first = self.quarantines[0]
            raise errors.VrfQuarantined(self.vrf, first.cause, first.begin_time)

    def by_id(self, pool_id: int) -> Offer:
        """The pool with this row id."""
        return self._by_id[pool_id]

    def named(self, text: str) -> Offer:
        """The pool with this id or exactly this CIDR; raises PoolNotFound."""
        found = self._by_name_or_cidr(text)
        if found is None:
            raise errors.PoolNotFound(self.vrf, text)
        return found

    def _by_name_or_cidr(self, text: str) -> Offer | None:
        found = self._by_name.get(text)
        cidr = cidr_of(text) if found is None and "/" in text else None
        return found if cidr is None else self._by_cidr.get(cidr)

    def named_by(self, asker: Asker, text: str) -> Offer:
        """A pool that somebody names to draw from; raises PoolNotFound or NamespaceNotGranted."""
        found = self._by_name_or_cidr(text)
        if found is None and not asker.discreet:
            raise errors.PoolNotFound(self.vrf, text)
        if found is None or not asker.may_use(found):
            raise errors.NamespaceNotGranted(self.vrf, asker.workload.namespace, pool=text)
        return found

    def asked_for_by(self, asker: Asker, address: addresses.Address) -> Offer:
        """The pool of an address that somebody names.

        Raises AddressNotInPool or NamespaceNotGranted.
        """
        found = self._around(address)
        if found is None and not asker.discreet:
            raise errors.AddressNotInPool(self.vrf, str(address))
        if found is None or not asker.may_ask_for(found, address):
            namespace = asker.workload.namespace
            raise errors.NamespaceNotGranted(self.vrf, namespace, address=str(address))
        return found

    def show(self, held: Iterable[model.Allocation]) -> tuple[Shown, ...]:
        """Allocations of this VRF, each with its pool."""
        return tuple(Shown(allocation=each, pool=self.holding(each.address).pool) for each in held)

    def pools_of(self, blocks: Iterable[str]) -> dict[str, resources.Pool]:
        """The pool that each of these blocks lies in, by the block's text."""
        return {
            each: self.holding(addresses.parse_address(each.partition("/")[0])).pool
            for each in set(blocks)
        }

    def holding(self, address: addresses.Address) -> Offer:
        """The pool that an address lies in; raises AddressNotInPool."""
        found = self._around(address)
        if found is None:
            raise errors.AddressNotInPool(self.vrf, str(address))
        return found

    def _around(self, address: addresses.Address) -> Offer | None:
        family = addresses.family_of(address)
        value = int(address)
        for prefix_length, firsts in self._by_first[family].items():
            shift = family.bits - prefix_length
            found = firsts.get(value >> shift << shift)
            if found is not None:
                return found
        return None

    def tiers(self, want: model.AddressRequest, asker: Asker) -> list[list[Offer]]:
        """The pools to draw from, in groups of equal rank.

        Named pools are one group, in the caller's order. Within a group a node's
        own blocks come before the order of the pools.
        """
        if want.pools:
            return [self._named_pools(want, asker)]
        tiers: dict[int, list[Offer]] = {}
        for each in self._automatic_pools(want, asker):
            tiers.setdefault(each.pool.priority, []).append(each)
        return list(tiers.values())

    def _named_pools(self, want: model.AddressRequest, asker: Asker) -> list[Offer]:
        # Naming a pool passes over its selectors and mode, never over these:
        # one bad name fails the request rather than silently shortening it.
        named = list(dict.fromkeys(self.named_by(asker, text) for text in want.pools))
        for each in named:
            if each.pool.family is not want.family:
                raise errors.PoolFamilyMismatch(self.vrf, each.name, want.family.name)
            self.check_usable(each, asker.use)
        return named

    def check_usable(self, each: Offer, use: model.Use) -> None:
        """Raises PoolDisabled, PoolDraining or PoolUseNotAllowed."""
        if each.pool.disabled:
            raise errors.PoolDisabled(self.vrf, each.name)
        if each.pool.state is resources.PoolState.DRAINING:
            raise errors.PoolDraining(self.vrf, each.name)
        if use not in each.pool.allowed_uses:
            raise errors.PoolUseNotAllowed(self.vrf, each.name, use)

    def unselecting(self, node_labels: Mapping[str, str]) -> tuple[Offer, ...]:
        """The pools whose blocks belong to nodes and that do not select one with these labels."""
        return tuple(
            each
            for each in self.offers
            if each.affine and not each.node_selector.matches(node_labels)
        )

    def considered(
        self, want: model.AddressRequest, asker: Asker
    ) -> list[tuple[Offer, PassedOver | None]]:
        """Every pool of the family, and why it does not serve a request, if so.

        First those that serve, in the order in which they are drawn from, then the
        others, in order of name.
        """
        verdicts = [
            (each, eligibility.passed_over(each, want, asker))
            for each in self.offers
            if each.pool.family is want.family
        ]
        serving = [each for each, why in verdicts if why is None]
        if want.pools:
            order = {id(self.named(text)): at for at, text in reversed([*enumerate(want.pools)])}
            serving.sort(key=lambda each: order[id(each)])
        others = [(each, why) for each, why in verdicts if why is not None]
        others.sort(key=lambda verdict: verdict[0].name)
        return [*((each, None) for each in serving), *others]

    def _automatic_pools(self, want: model.AddressRequest, asker: Asker) -> list[Offer]:
        verdicts = self.considered(want, asker)
        eligible = [each for each, why in verdicts if why is None]
        if not eligible:
            raise errors.NoEligiblePool(
                told(verdicts, asker),
                vrf=self.vrf,
                family=want.family.name,
                node=asker.workload.node,
                namespace=asker.workload.namespace,
                use=asker.use,
            )
        return eligible


def told(
    verdicts: Iterable[tuple[Offer, PassedOver | None]], asker: Asker
) -> list[tuple[str, str]]:
    """The pools that do not serve a request, as far as whoever asks may know of them, and why."""
    return [
        (each.name, why.text)
        for each, why in verdicts
        if why is not None and not (asker.discreet and why.rule is Rule.NAMESPACE)
    ]


def _by_first(family: addresses.Family, offers: Iterable[Offer]) -> dict[int, dict[int, Offer]]:
    """The pools of a family by prefix length, then by their first address."""
    found: dict[int, dict[int, Offer]] = {}
    for each in offers:
        cidr = each.pool.cidr
        if addresses.family_of(cidr) is family:
            found.setdefault(cidr.prefixlen, {})[int(cidr.network_address)] = each
    return found
