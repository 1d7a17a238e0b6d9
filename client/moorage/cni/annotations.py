"""The annotations of pods and namespaces: every key there is, what it may say, and who wins.

Precedence holds for each key by itself: the pod's annotation, then the namespace's, then the CNI
config, then whatever the pools' own selectors let through. The winner replaces, lists are never
merged. An empty text is an absent annotation.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from moorage.cni import addresses, constraints, errors, origin, settings
from moorage.cni.addresses import Family

IPV4_POOLS = "cni.projectcalico.org/ipv4pools"
IPV6_POOLS = "cni.projectcalico.org/ipv6pools"
IP_FAMILIES = "cni.projectcalico.org/ipFamilies"
IP_ADDRS = "cni.projectcalico.org/ipAddrs"
IP_ADDRS_NO_IPAM = "cni.projectcalico.org/ipAddrsNoIpam"
FLOATING_IPS = "cni.projectcalico.org/floatingIPs"
OWNER = "moorage.dev/owner"
STICKY = "moorage.dev/sticky"
WAIT = "moorage.dev/wait"

LONGEST_VALUE = 4096
LONGEST_OWNER = 189  # with the longest namespace before it, an owner key is as long as it may be
MOST_FAMILIES = 16
LONGEST_WAIT = 60, "s"
LONGEST_STICKY = 90, "d"

# Pools, by name or CIDR, and the place they are listed in.
_Listed = tuple[tuple[str, ...], origin.Origin]

_POOL_KEYS: Mapping[Family, str] = {4: IPV4_POOLS, 6: IPV6_POOLS}
_FAMILY_NAMES: Mapping[str, Family] = {"IPv4": 4, "IPv6": 6}
# By the names of the switches of Calico that would turn them on.
_FEATURES: Mapping[str, str] = {
    IP_ADDRS_NO_IPAM: "ip_addrs_no_ipam",
    FLOATING_IPS: "floating_ips",
}
_UNITS: Mapping[str, int] = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"([0-9]{1,9})([smhd])")
_BOTH = "can't have both annotations: 'ipAddrs' and 'ipAddrsNoIpam' in use at the same time"


class Level(NamedTuple):
    """The annotations of one object; `where` names it, as in "pod default/web-0"."""

    where: str
    annotations: Mapping[str, str]


def resolve(
    pod: Level,
    namespace: Level,
    chosen: settings.Settings,
    fixed: constraints.Constraints | None = None,
) -> constraints.Constraints:
    """Decides what to ask for; `fixed` is what the runtime named itself, which wins.

    Raises:
        CniError: ANNOTATION_REFUSED, naming the annotation, its object, its value, the rule and the
            next step; INVALID_CONFIG where no family is left to assign.
    """
    _refuse_unsupported(pod)
    owner, levels = _find(OWNER, (pod,)), (pod, namespace)
    listed = None if fixed else _find(IP_ADDRS, (pod,))
    if listed:
        fixed = _listed(listed, chosen.one_address_per_family)
    found = fixed or _drawn(levels, chosen)
    return found._replace(
        owner=_owner(owner) if owner else "",
        wait_seconds=_seconds(_find(WAIT, levels), *LONGEST_WAIT),
        sticky_seconds=_sticky_seconds(_find(STICKY, levels), owner),
    )


def _drawn(levels: Sequence[Level], chosen: settings.Settings) -> constraints.Constraints:
    families, said_by = _wanted(levels, chosen)
    # Both lists are read, also that of a family which is not assigned: a mistake is a mistake.
    listed = {family: _pools(family, levels, chosen) for family in addresses.FAMILIES}
    choices = [constraints.Choice(family=family, pools=listed[family][0]) for family in families]
    said_by += [str(listed[family][1]) for family in families if listed[family][0]]
    idle = [pool for family in listed if family not in families for pool in _idle(family, listed)]
    return constraints.Constraints(choices=tuple(choices), said_by=tuple(said_by), idle=tuple(idle))


def _wanted(
    levels: Sequence[Level], chosen: settings.Settings
) -> tuple[tuple[Family, ...], list[str]]:
    if found := _find(IP_FAMILIES, levels):
        return _families(found), [str(found)]
    if not chosen.families:
        raise errors.CniError(
            errors.Code.INVALID_CONFIG,
            "no address to assign: the CNI config switches assign_ipv4 and assign_ipv6 off",
            f'set one of them to "true", or annotate with {IP_FAMILIES}',
        )
    return chosen.families, []


def _idle(family: Family, listed: Mapping[Family, _Listed]) -> Iterator[constraints.IdlePool]:
    names, source = listed[family]
    # A CIDR is taken at its word, as in Calico: it need not be a pool's until it is drawn from.
    for name in names:
        if "/" not in name:
            yield constraints.IdlePool(family=family, name=name, source=source)


def _find(key: str, levels: Sequence[Level]) -> origin.Origin | None:
    for level in levels:
        if value := level.annotations.get(key):
            found = _annotation(key, value, level.where)
            if len(value) > LONGEST_VALUE or len(value.encode(errors="replace")) > LONGEST_VALUE:
                raise found.refuse(f"longer than {LONGEST_VALUE} bytes", "shorten it")
            return found
    return None


def _annotation(key: str, value: str, where: str) -> origin.Origin:
    return origin.Origin(
        name=f'annotation "{key}"',
        where=where,
        value=value,
        code=errors.Code.ANNOTATION_REFUSED,
    )


def _refuse_unsupported(pod: Level) -> None:
    next_step = "take the annotation away: Moorage does not offer this"
    without_ipam = _find(IP_ADDRS_NO_IPAM, (pod,))
    if without_ipam and pod.annotations.get(IP_ADDRS):
        raise without_ipam.refuse(_BOTH, next_step)
    for key, feature in _FEATURES.items():
        if found := _find(key, (pod,)):
            raise found.refuse(f"requested feature is not enabled: {feature}", next_step)


def _pools(family: Family, levels: Sequence[Level], chosen: settings.Settings) -> _Listed:
    found = _find(_POOL_KEYS[family], levels)
    if not found:
        return chosen.pools[family], chosen.pool_origins[family]
    items = origin.strings(found, settings.MOST_POOLS)
    return tuple(addresses.pool(found, item, family) for item in items), found


def _families(source: origin.Origin) -> tuple[Family, ...]:
    items = origin.strings(source, MOST_FAMILIES)
    next_step = 'list "IPv4", "IPv6" or both'
    for item in items:
        if item not in _FAMILY_NAMES:
            rule = f"error parsing ipFamilies: {errors.quote(item)}"
            raise source.refuse(rule, next_step)
    if not items:
        raise source.refuse("names no family, so there is no address to assign", next_step)
    named = {_FAMILY_NAMES[item] for item in items}
    return tuple(family for family in addresses.FAMILIES if family in named)


def _listed(source: origin.Origin, one_per_family: bool) -> constraints.Constraints:
    texts = origin.strings(source, addresses.MOST_LISTED)
    if not texts:
        raise source.refuse("specified but empty", "list an address, or take the annotation away")
    try:
        parsed = [addresses.parse(text) for text in texts]
    except ValueError as error:
        raise source.refuse(str(error), "list plain addresses, without prefix length") from error
    choices = []
    for family in addresses.FAMILIES:
        candidates = [address for address in parsed if address.version == family]
        if one_per_family and len(candidates) > 1:
            raise _several(source, family)
        if candidates:
            unique = tuple(dict.fromkeys(candidates))
            choices.append(constraints.Choice(family=family, candidates=unique))
    return constraints.Constraints(choices=tuple(choices), said_by=(str(source),))


def _several(source: origin.Origin, family: Family) -> errors.CniError:
    return source.refuse(
        f'cannot have more than one IPv{family} address for "{IP_ADDRS}" annotation',
        'list one, or set "ip_addrs": "any" in the CNI config to be given any one that is free',
    )


def _sticky_seconds(source: origin.Origin | None, owner: origin.Origin | None) -> int:
    seconds = _seconds(source, *LONGEST_STICKY)
    if source and seconds and not owner:
        raise source.refuse(
            f'nobody to keep addresses for: the pod has no annotation "{OWNER}"',
            f'annotate the pod with {OWNER}, or with {STICKY}: "0s"',
        )
    return seconds


def _seconds(source: origin.Origin | None, most: int, unit: str) -> int:
    if source is None:
        return 0
    match = _DURATION.fullmatch(source.value)
    seconds = int(match[1]) * _UNITS[match[2]] if match else None
    if seconds is None or seconds > most * _UNITS[unit]:
        raise source.refuse(
            f"not a duration of at most {most}{unit}",
            "write a whole number and one of s, m, h and d, such as 30s or 24h",
        )
    return seconds


def _owner(source: origin.Origin) -> str:
    if len(source.value) > LONGEST_OWNER or not source.value.isprintable():
        rule = f"not at most {LONGEST_OWNER} printable characters"
        raise source.refuse(rule, "write a name that outlives the pod, such as web-0")
    return source.value
