"""The conditions of a filter on rows that say who holds an address, or held it."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from moorage_server.domain import addresses, model
from moorage_server.storage import arrays

_EXACT = (
    "network",
    "container_id",
    "interface",
    "node",
    "namespace",
    "pod",
    "pod_uid",
    "cluster",
    "owner_key",
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What rows must fulfil, all of it, and the parameters that are named there."""

    texts: tuple[str, ...]
    parameters: Mapping[str, object]

    @property
    def text(self) -> str:
        """All of them as one."""
        return " AND ".join(self.texts)

    def also(self, text: str, **parameters: object) -> "Conditions":
        """These and one more."""
        return Conditions(texts=(*self.texts, text), parameters={**self.parameters, **parameters})


def held(vrf_id: int, wanted: model.AllocationFilter) -> Conditions:
    """Of what is held: of rows of `l`, an allocation, with `a`, its attachment."""
    found = conditions(wanted, holder="a", address="l.address")
    found = found.also("a.vrf_id = :vrf_id").also("l.vrf_id = :vrf_id", vrf_id=vrf_id)
    for name in ("node", "namespace"):
        if getattr(wanted, name):
            # Whoever holds anything is in this state, and so in the index.
            found = found.also(f"a.state = 'HELD' AND a.{name} <> ''")
    if wanted.attachment is not None:
        found = found.also("a.uid = :uid", uid=wanted.attachment.uid(vrf_id))
    return found


def conditions(wanted: model.AllocationFilter, *, holder: str, address: str) -> Conditions:
    """Of rows where `holder` has the columns of an attachment and its facts.

    Of a whole attachment, its parts.
    """
    exact = {name: getattr(wanted, name) for name in _EXACT if getattr(wanted, name)}
    equal = tuple(f"{holder}.{name} = :{name}" for name in exact)
    found = Conditions(texts=equal, parameters=exact)
    for name, networks in _ranges(wanted):
        inside = [_inside(address, each, f"{name}{at}") for at, each in enumerate(networks)]
        text = " OR ".join(each.text for each in inside)
        limits = {key: value for each in inside for key, value in each.parameters.items()}
        found = found.also(f"({text})", **limits)
    if wanted.labels:
        labels = arrays.json_text(wanted.labels)
        found = found.also(f"{holder}.labels @> CAST(:labels AS jsonb)", labels=labels)
    return found


def _ranges(wanted: model.AllocationFilter) -> Iterator[tuple[str, Sequence[addresses.Network]]]:
    if wanted.within is not None:
        yield "within", [wanted.within]
    if wanted.pools:
        yield "pool", wanted.pools


def _inside(address: str, network: addresses.Network, name: str) -> Conditions:
    first, last = f"first_{name}", f"last_{name}"
    if network.num_addresses == 1:
        # One address by itself, so that an index gives its rows in any order it has.
        text = f"{address} = CAST(:{first} AS inet)"
        return Conditions(texts=(text,), parameters={first: str(network[0])})
    text = f"{address} BETWEEN CAST(:{first} AS inet) AND CAST(:{last} AS inet)"
    return Conditions(texts=(text,), parameters={first: str(network[0]), last: str(network[-1])})
