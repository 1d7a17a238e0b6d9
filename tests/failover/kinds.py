"""How a leader is lost, and how it comes back."""

import random
from collections.abc import Callable

from failover.member import Member

Strike = Callable[[Member, random.Random], None]


def kill(leader: Member, _: random.Random) -> None:
    """PostgreSQL and its agent are killed, and started again when another leads."""
    leader.kill()


def freeze(leader: Member, _: random.Random) -> None:
    """PostgreSQL and its agent stand still, and go on as leader when another leads."""
    leader.freeze()


def part(leader: Member, chance: random.Random) -> None:
    """etcd does not hear it any more, nor do other members, mostly, nor servers, sometimes."""
    members = chance.random() < 0.7
    leader.part(members=members, servers=members and chance.random() < 0.5)


def abandon(leader: Member, _: random.Random) -> None:
    """The agent stands still, and PostgreSQL takes writes beside the next leader, for nobody."""
    leader.abandon()


def cancel(leader: Member, _: random.Random) -> None:
    """As before, and what waits for standbys that have left is told by an operator not to."""
    leader.abandon()
    leader.cancel_waits()


def switch_over(leader: Member, _: random.Random) -> None:
    """An operator has another one lead."""
    leader.ask("switchover", {"leader": leader.name})


KINDS: dict[str, Strike] = {
    "kill": kill,
    "freeze": freeze,
    "partition": part,
    "agent": abandon,
    "switch-over": switch_over,
}
# Not of the plan: what was cancelled is seen by whoever watches, is lost with the leader, and who
# was told of it has to watch again from the beginning.
STRIKES: dict[str, Strike] = {**KINDS, "cancelled": cancel}
