"""What a history is played on: the decisions alone, in memory, and the use cases on PostgreSQL.

Both make the same decisions from the same state, so they answer alike, to the address.
"""

import dataclasses
import itertools
import time
from typing import Protocol, cast

from harness import postgres, world
from model.books import Books, Sandbox
from model.pools import POOLS
from moorage_server.domain import addresses, errors, model, resources
from moorage_server.storage import catalogs, database
from moorage_server.usecases import assign, batch, pools, release, reservations
from moorage_server.usecases.ledger import Ledger, Request
from moorage_server.usecases.targets import Target

Answer = tuple[model.Allocation, ...] | str  # a text is the reason of a refusal
PATIENCE = 20.0  # seconds of one transaction


class Driver(Protocol):
    """A VRF with `POOLS`, on which one thing is done at a time."""

    def answer(self, request: Request) -> Answer:
        """Assigns or releases."""

    def reserve(self, cidr: str) -> None:
        """Hides addresses."""

    def give_up(self, cidr: str) -> None:
        """Hides them no more."""

    def disable(self, pool: str, disabled: bool) -> None:
        """Closes a pool for assigns, or opens it again."""

    def pass_time(self, ticks: int) -> None:
        """Lets time pass, by which addresses cool down."""


class Core:
    """The decisions alone: what they ask for is in memory, what they come to stays there."""

    def __init__(self) -> None:
        """Nothing is held."""
        self._world = world.World(*POOLS)
        self._pools = {each.name: each for each in POOLS}
        self._reserved: list[str] = []
        self._sandboxes: dict[model.AttachmentKey, Sandbox] = {}
        self._generations = itertools.count(1)

    def answer(self, request: Request) -> Answer:
        """Assigns or releases."""
        pod = request.pod_interface if isinstance(request, model.AssignRequest) else None
        books = Books(self._world, self._sandboxes, pod)
        ledger = cast("Ledger", books)
        try:
            if isinstance(request, model.AssignRequest):
                decided = assign.assign(ledger, request)
            else:
                decided = release.release(ledger, request)
        except errors.IpamError as refusal:
            return refusal.reason
        granted = books.write(self._generations)
        return granted or decided

    def reserve(self, cidr: str) -> None:
        """Hides addresses."""
        self._reserved.append(cidr)
        self._compile()

    def give_up(self, cidr: str) -> None:
        """Hides them no more."""
        self._reserved.remove(cidr)
        self._compile()

    def disable(self, pool: str, disabled: bool) -> None:
        """Closes a pool for assigns, or opens it again."""
        self._pools[pool] = dataclasses.replace(self._pools[pool], disabled=disabled)
        self._compile()

    def pass_time(self, ticks: int) -> None:
        """Lets time pass, by which addresses cool down."""
        self._world.tick += ticks

    def _compile(self) -> None:
        self._world.catalog = world.compiled(self._pools.values(), reserved=self._reserved)


class Stored:
    """The use cases on PostgreSQL, whose ticks nobody else raises."""

    def __init__(self, on: postgres.Database) -> None:
        """Makes the pools."""
        self._database = on
        self._store = database.Database(on.service_url, threads=1)
        self._catalogs = catalogs.Catalogs()
        for each in POOLS:
            pools.create(self._store, _limits(), each)

    def close(self) -> None:
        """Ends the connections."""
        self._store.close()

    def answer(self, request: Request) -> Answer:
        """Assigns or releases."""
        alone = batch.Locking.WAITING
        ran = batch.run(self._store, _limits(), [request], compiled=self._catalogs, locking=alone)
        [outcome] = ran.outcomes
        if isinstance(outcome, errors.IpamError):
            return outcome.reason
        assert isinstance(outcome, tuple), f"nobody else is there, and yet {outcome}"
        return tuple(shown.allocation for shown in outcome)

    def reserve(self, cidr: str) -> None:
        """Hides addresses."""
        made = resources.Reservation(
            vrf="default", name=_name(cidr), cidrs=(addresses.parse_network(cidr),)
        )
        reservations.create(self._store, _limits(), made)

    def give_up(self, cidr: str) -> None:
        """Hides them no more."""
        reservations.delete(self._store, _limits(), _target(_name(cidr), "reservations"))

    def disable(self, pool: str, disabled: bool) -> None:
        """Closes a pool for assigns, or opens it again."""

        def change(before: resources.Pool) -> resources.Pool:
            return dataclasses.replace(before, disabled=disabled)

        pools.update(self._store, _limits(), _target(pool, "pools"), change)

    def pass_time(self, ticks: int) -> None:
        """Lets time pass, by which addresses cool down."""
        self._database.execute("UPDATE ticks SET tick = tick + :ticks", ticks=ticks)


def _limits() -> database.Limits:
    return database.Limits.until(time.monotonic() + PATIENCE)


def _name(cidr: str) -> str:
    return "".join(each if each.isalnum() else "-" for each in cidr)


def _target(name: str, collection: str) -> Target:
    return Target(vrf="default", name=name, resource=f"vrfs/default/{collection}/{name}")
