"""What namespaces are granted: pools to draw from, and addresses to ask for by name.

Only what an operator has written counts: labels and everything else that a request says of
itself is its caller's to choose.
"""

import dataclasses
from collections.abc import Iterable, Mapping

from moorage_server.domain import addresses, resources
from moorage_server.domain.model import Use


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Grants:
    """Of one pool: which namespaces may use it, and what each may ask for by name.

    Tunnels are of no namespace. What is only granted they have of pools that serve nothing else:
    whoever can call for a node could have it as a tunnel's.
    """

    strict: bool
    allowed: frozenset[str]
    fixed: resources.FixedAddresses
    inside: addresses.Span
    granted: Mapping[str, addresses.RangeSet]  # also of other pools
    is_for_tunnels: bool  # ... alone

    def let_use(self, namespace: str, use: Use) -> bool:
        """Whether a namespace may be assigned addresses of the pool."""
        if not self.allowed and not self.strict:
            return True
        return namespace in self.allowed or self._serve_tunnel(namespace, use)

    def let_ask_for(self, value: int, namespace: str, use: Use) -> bool:
        """Whether a namespace may ask for this address of the pool."""
        if self.fixed is resources.FixedAddresses.NONE:
            return False
        granted = self.granted.get(namespace)
        if granted is not None and value in granted:
            return True
        if self.fixed is resources.FixedAddresses.ANY and not self.strict:
            return self.let_use(namespace, use)
        return self._serve_tunnel(namespace, use)

    def concern(self, namespaces: Iterable[str]) -> bool:
        """Whether one of them may have anything of the pool."""
        return any(self.let_use(each, Use.WORKLOAD) or self._grant_any(each) for each in namespaces)

    def _serve_tunnel(self, namespace: str, use: Use) -> bool:
        return self.is_for_tunnels and use is Use.TUNNEL and not namespace

    def _grant_any(self, namespace: str) -> bool:
        granted = self.granted.get(namespace)
        by_name = self.fixed is not resources.FixedAddresses.NONE
        return by_name and granted is not None and granted.touches(self.inside)


class Policy:
    """Of one VRF; without anything in it nobody is restricted."""

    def __init__(
        self, *, strict: bool = False, fixed: Iterable[resources.FixedAddressGrant] = ()
    ) -> None:
        """Works out who may ask for what, once for all pools."""
        self._strict = strict
        spans = {each.namespace: list(map(addresses.Span.of, each.cidrs)) for each in fixed}
        self._granted = {
            family: {name: addresses.RangeSet(family, theirs) for name, theirs in spans.items()}
            for family in addresses.Family
        }

    def of(self, pool: resources.Pool) -> Grants:
        """What of it is about a pool."""
        return Grants(
            strict=self._strict,
            allowed=pool.allowed_namespaces,
            fixed=pool.fixed_addresses,
            inside=addresses.Span.of(pool.cidr),
            granted=self._granted[pool.family],
            is_for_tunnels=pool.allowed_uses == {Use.TUNNEL},
        )
