"""What an import is to do, or did, step by step."""

from __future__ import annotations

from dataclasses import dataclass

from moorage.ctl import changes, exits
from moorage.ctl.import_ import estate
from moorage.v1 import admin_service_pb2, resources_pb2


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A pool, a reservation or the configuration of the VRF: what is to be done about it.

    `drained` is a pool that is to be drained, and created before that where it is not there.
    `differing`: in which fields a pool that is there, and stays as it is, is another.
    `result` is as `changes.make` says it, or the conflict that keeps it from being done.
    """

    label: str
    change: changes.Change | None = None
    drained: resources_pb2.Pool | None = None
    result: str = changes.UNCHANGED
    conflict: str = ""
    differing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockStep:
    """A block: what of it is to be adopted, or was.

    `pool` is empty for an orphan, which no pool holds and which is left alone. `previous_node`:
    whose it was until then. `kept`: how many addresses come to be kept for owners.
    """

    block: estate.Block
    pool: str
    addresses: tuple[admin_service_pb2.AdoptedAddress, ...]
    adopted: int = 0
    unchanged: int = 0
    released: int = 0
    kept: int = 0
    changed: bool = False
    previous_node: str = ""
    conflicts: tuple[admin_service_pb2.AdoptConflict, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that is to be done, or was, in order; `failure` is what ended it early."""

    steps: tuple[Step, ...]
    blocks: tuple[BlockStep, ...]
    failure: exits.Failed | None = None

    @property
    def conflict_count(self) -> int:
        """How many things are in the way."""
        return sum(bool(step.conflict) for step in self.steps) + sum(
            len(each.conflicts) for each in self.blocks
        )

    @property
    def adopted_count(self) -> int:
        """How many addresses become held."""
        return sum(each.adopted for each in self.blocks)

    @property
    def unchanged_count(self) -> int:
        """How many addresses were held exactly so before."""
        return sum(each.unchanged for each in self.blocks)

    @property
    def released_count(self) -> int:
        """How many addresses were released since they were adopted, and stay so."""
        return sum(each.released for each in self.blocks)

    @property
    def kept_count(self) -> int:
        """How many addresses come to be kept for their owners."""
        return sum(each.kept for each in self.blocks)

    @property
    def changes_anything(self) -> bool:
        """Whether anything is not as it is to be."""
        return any(step.result != changes.UNCHANGED for step in self.steps) or any(
            each.adopted or each.kept or each.changed for each in self.blocks
        )
