"""What one ADD asks for, already parsed: the vocabulary between the sources and the request."""

from typing import NamedTuple

from moorage.cni.addresses import Address, Family
from moorage.cni.origin import Origin


class Choice(NamedTuple):
    """One address: any one of `candidates`, else any of `pools`, else any at all."""

    family: Family
    pools: tuple[str, ...] = ()
    candidates: tuple[Address, ...] = ()


class IdlePool(NamedTuple):
    """A pool that is named for a family nobody asks for; it must be there, and of that family."""

    family: Family
    name: str
    source: Origin


class Constraints(NamedTuple):
    """All that an ADD asks for; `said_by` names, for error messages, whose words it follows.

    `wait_seconds`: for an address that a predecessor still holds; `sticky_seconds`: for how long
    the addresses stay the owner's after their release.
    """

    choices: tuple[Choice, ...]
    owner: str = ""
    wait_seconds: int = 0
    sticky_seconds: int = 0
    said_by: tuple[str, ...] = ()
    idle: tuple[IdlePool, ...] = ()
