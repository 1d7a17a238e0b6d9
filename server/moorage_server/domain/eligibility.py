"""Which rule, if any, keeps a pool from serving a request."""

import dataclasses
import enum
from collections.abc import Iterator, Mapping

from moorage_server.domain import addresses, model, resources
from moorage_server.domain.offers import Offer


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """What a decision depends on besides the pools.

    `owner`: who may have an address back that is cooling; see `model.Facts.owner`.
    `owner_key`: whose sticky addresses are given first, those for the `network` and the
    `interface`. `discreet`: whoever asks is told nothing of what the namespace may not use.
    """

    workload: model.Workload
    node_labels: Mapping[str, str]
    use: model.Use
    owner: str = ""
    owner_key: str = ""
    network: str = ""
    interface: str = ""
    discreet: bool = False

    @classmethod
    def of(cls, request: model.AssignRequest, node_labels: Mapping[str, str]) -> "Asker":
        """Who asks, from a request and the labels of its node."""
        facts, attachment = request.facts, request.attachment
        return cls(
            workload=facts.workload,
            node_labels=node_labels,
            use=facts.use,
            owner=facts.owner,
            owner_key=facts.owner_key,
            network=attachment.network,
            interface=attachment.interface,
            discreet=request.bounds.is_tenant,
        )

    def may_use(self, each: Offer) -> bool:
        """Whether its namespace may be assigned addresses of a pool."""
        return each.grants.let_use(self.workload.namespace, self.use)

    def may_ask_for(self, each: Offer, address: addresses.Address) -> bool:
        """Whether its namespace may ask for an address of a pool by name."""
        return each.grants.let_ask_for(int(address), self.workload.namespace, self.use)


class Rule(enum.StrEnum):
    """The rules that pass a pool over, in the order in which they are applied."""

    NOT_NAMED = "NOT_NAMED"
    NAMESPACE = "NAMESPACE"
    FIXED_ADDRESS = "FIXED_ADDRESS"
    DISABLED = "DISABLED"
    DRAINING = "DRAINING"
    MANUAL = "MANUAL"
    NODE_SELECTOR = "NODE_SELECTOR"
    NAMESPACE_SELECTOR = "NAMESPACE_SELECTOR"
    USE = "USE"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PassedOver:
    """Why a pool does not serve a request, in words, and what would make it serve."""

    rule: Rule
    text: str
    next_step: str


def passed_over(each: Offer, want: model.AddressRequest, asker: Asker) -> PassedOver | None:
    """The first rule by which a pool of the family does not serve a request, if any."""
    named = bool(want.pools or want.candidates)
    if named and not _is_named(each, want):
        return _NOT_NAMED
    not_granted = _not_granted(each, want, asker)
    if not_granted is not None:
        return not_granted
    # Naming a pool, or one of its addresses, passes over its selectors and mode.
    return next(
        (
            why
            for applies, why in _rules(each, asker)
            if applies and not (named and why.rule in _OF_AUTOMATIC)
        ),
        None,
    )


def _is_named(each: Offer, want: model.AddressRequest) -> bool:
    return any(map(each.answers_to, want.pools)) or any(
        candidate in each.pool.cidr for candidate in want.candidates
    )


def _not_granted(each: Offer, want: model.AddressRequest, asker: Asker) -> PassedOver | None:
    for address in want.candidates:
        if address in each.pool.cidr and not asker.may_ask_for(each, address):
            return PassedOver(
                rule=Rule.FIXED_ADDRESS,
                text=f'namespace "{asker.workload.namespace}" may not ask for {address} by name, '
                f"with fixed_addresses {each.pool.fixed_addresses}",
                next_step="grant it in the VRF's fixed_address_grants, or let the server choose",
            )
    if want.candidates or asker.may_use(each):
        return None
    return PassedOver(
        rule=Rule.NAMESPACE,
        text=f'its allowed_namespaces do not list namespace "{asker.workload.namespace}"',
        next_step="add the namespace to its allowed_namespaces",
    )


def _rules(each: Offer, asker: Asker) -> Iterator[tuple[bool, PassedOver]]:
    pool, workload = each.pool, asker.workload
    yield pool.disabled, _DISABLED
    yield pool.state is resources.PoolState.DRAINING, _DRAINING
    yield pool.assignment_mode is resources.AssignmentMode.MANUAL, _MANUAL
    yield (
        not each.node_selector.matches(asker.node_labels),
        PassedOver(
            rule=Rule.NODE_SELECTOR,
            text=f"its node selector {pool.node_selector:.80} does not match the labels of node "
            f'"{workload.node}"',
            next_step="label the node, change the selector, or name the pool",
        ),
    )
    yield (
        not each.namespace_selector.matches(workload.namespace_labels),
        PassedOver(
            rule=Rule.NAMESPACE_SELECTOR,
            text=f"its namespace selector {pool.namespace_selector:.80} does not match the labels "
            f'of namespace "{workload.namespace}"',
            next_step="label the namespace, change the selector, or name the pool",
        ),
    )
    yield (
        asker.use not in pool.allowed_uses,
        PassedOver(
            rule=Rule.USE,
            text=f"it does not allow use {asker.use}",
            next_step="add the use to its allowed_uses",
        ),
    )


_OF_AUTOMATIC = (Rule.MANUAL, Rule.NODE_SELECTOR, Rule.NAMESPACE_SELECTOR)
_NOT_NAMED = PassedOver(
    rule=Rule.NOT_NAMED,
    text="the request names other pools, or addresses outside of it",
    next_step="name it",
)
_DISABLED = PassedOver(rule=Rule.DISABLED, text="it is disabled", next_step="enable it")
_DRAINING = PassedOver(rule=Rule.DRAINING, text="it is draining", next_step="activate it")
_MANUAL = PassedOver(
    rule=Rule.MANUAL,
    text="its assignment mode is MANUAL",
    next_step="name it, or set its assignment mode to AUTOMATIC",
)
