"""IPAMConfigurations of Calico: read as the configuration of a VRF."""

from __future__ import annotations

from moorage.ctl import calico_values, specs
from moorage.v1 import resources_pb2

# The only name that Calico has for an IPAMConfiguration.
NAME = "default"

# Which fields of a VRF an IPAMConfiguration speaks of, by name in the proto.
FIELDS = frozenset({"configuration"})

# What it calls the fields of a configuration.
SPELLINGS = {
    "configuration.max_blocks_per_node": "maxBlocksPerHost",
    "configuration.cooldown_seconds": "ipCooldownSeconds",
    "configuration.": "",
}

_SPEC: calico_values.Fields = {
    "strictAffinity": bool,
    "autoAllocateBlocks": bool,
    "maxBlocksPerHost": int,
    "ipCooldownSeconds": int,
    # Another spelling of the same.
    "IPCooldownSeconds": int,
    "kubeVirtVMAddressPersistence": str,
}


def read(
    spec: object, place: specs.Place
) -> tuple[resources_pb2.VrfConfiguration, tuple[str, ...]]:
    """Return the configuration that a spec describes, and what is to be said of it."""
    given = calico_values.typed(spec, _SPEC, place, "an IPAMConfiguration")
    configuration = resources_pb2.VrfConfiguration(
        strict_affinity=given.flag("strictAffinity"),
        auto_allocate_blocks=given.flag("autoAllocateBlocks", default=True),
        max_blocks_per_node=given.number("maxBlocksPerHost"),
        cooldown_seconds=_cooldown(given, place),
    )
    _refuse_contradictions(configuration, place)
    return configuration, _persistence(given, place.child("kubeVirtVMAddressPersistence"))


def _cooldown(given: calico_values.Values, place: specs.Place) -> int:
    if "ipCooldownSeconds" in given and "IPCooldownSeconds" in given:
        place.child("IPCooldownSeconds").refuse("is ipCooldownSeconds once more; leave one of them")
    return given.number("ipCooldownSeconds") or given.number("IPCooldownSeconds")


def _refuse_contradictions(
    configuration: resources_pb2.VrfConfiguration, place: specs.Place
) -> None:
    if configuration.strict_affinity:
        return
    if not configuration.auto_allocate_blocks:
        place.child("autoAllocateBlocks").refuse(
            "Cannot disable 'StrictAffinity' and 'AutoAllocateBlocks' at the same time"
        )
    if configuration.max_blocks_per_node:
        place.child("maxBlocksPerHost").refuse(
            "MaxBlocksPerHost requires StrictAffinity to be enabled"
        )


def _persistence(given: calico_values.Values, place: specs.Place) -> tuple[str, ...]:
    """Return what is said of the persistence of addresses, for which owner keys stand here."""
    if "kubeVirtVMAddressPersistence" not in given:
        return ()
    word = given.text("kubeVirtVMAddressPersistence")
    calico_values.choice(word, {"Enabled": True, "Disabled": False}, place)
    return ("kubeVirtVMAddressPersistence is not used",)
