"""The configuration of a VRF under the names that Calico has for its properties."""

from __future__ import annotations

from dataclasses import dataclass

from moorage.v1 import resources_pb2

HEADER = ("PROPERTY", "VALUE")

Value = bool | int


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """One property: its name, its key in JSON, and its field of VrfConfiguration."""

    name: str
    key: str
    field: str

    @property
    def path(self) -> str:
        """Its path in the mask of an update."""
        return f"configuration.{self.field}"


STRICT_AFFINITY = Property(name="StrictAffinity", key="strictAffinity", field="strict_affinity")
AUTO_ALLOCATE_BLOCKS = Property(
    name="AutoAllocateBlocks", key="autoAllocateBlocks", field="auto_allocate_blocks"
)
MAX_BLOCKS_PER_HOST = Property(
    name="MaxBlocksPerHost", key="maxBlocksPerHost", field="max_blocks_per_node"
)
IP_COOLDOWN_SECONDS = Property(
    name="IPCooldownSeconds", key="ipCooldownSeconds", field="cooldown_seconds"
)
PROPERTIES = (STRICT_AFFINITY, AUTO_ALLOCATE_BLOCKS, MAX_BLOCKS_PER_HOST, IP_COOLDOWN_SECONDS)


def values(configuration: resources_pb2.VrfConfiguration) -> dict[Property, Value]:
    """Return the value of each property; MaxBlocksPerHost 0 stands for the default of 20."""
    found: dict[Property, Value] = {each: getattr(configuration, each.field) for each in PROPERTIES}
    if not configuration.HasField("auto_allocate_blocks"):
        found[AUTO_ALLOCATE_BLOCKS] = True
    return found


def spelled(value: Value) -> str:
    """Return a value as it is printed: "true", "20"."""
    return str(value).lower()
