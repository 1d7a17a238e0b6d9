"""What has to change so that a resource is as its manifest says.

A manifest says all about its resource: a field that it leaves out goes back to the default. The
defaults stand in `resources.proto`; knowing them here only spares the server an update that would
change nothing.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import moorage
from moorage.ctl import kinds, manifests, specs
from moorage.v1 import resources_pb2

CREATED = "created"
CONFIGURED = "configured"
UNCHANGED = "unchanged"

HISTORY_RETENTION_DAYS = 400  # the server's default


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a manifest asks of the server: `paths` are the fields to change.

    `current` is None where the resource is not there. Without paths it must be created then; with
    paths somebody else must.
    """

    manifest: manifests.Manifest
    current: kinds.Resource | None
    paths: tuple[str, ...]

    @property
    def creates(self) -> bool:
        """Whether it makes a resource that is not there."""
        return self.current is None and not self.paths


def find(client: moorage.Client, manifest: manifests.Manifest) -> Change:
    """Compare a manifest with what the server has."""
    wanted = manifest.resource
    try:
        current = kinds.fetch(client, manifest.kind, wanted.name, "")
    except moorage.NotFound:
        paths = () if manifest.makes else tuple(sorted(manifest.fields or ()))
        return Change(manifest=manifest, current=None, paths=paths)
    paths = differences(current, wanted, manifest.fields)
    return Change(manifest=manifest, current=current, paths=paths)


def make(client: moorage.Client, change: Change, *, validate_only: bool = False) -> str:
    """Bring a change about, or ask whether it could be; return what becomes of the resource."""
    wanted = change.manifest.resource
    if change.creates:
        kinds.create(client, wanted, validate_only=validate_only)
        return CREATED
    if not change.paths:
        return UNCHANGED
    # Without an etag: what a manifest says does not depend on what was there before.
    stored = kinds.update(client, wanted, change.paths, validate_only=validate_only)
    changed = change.current is None or differences(change.current, stored)
    return CONFIGURED if changed else UNCHANGED


def rehearse(client: moorage.Client, change: Change, *, creating: bool) -> str:
    """Ask the server whether a change can be made; return or raise what making it would.

    `creating`: what is to be changed is made before that, and is not there yet.
    """
    if creating:
        kinds.create(client, change.manifest.resource, validate_only=True)
        return CONFIGURED
    return make(client, change, validate_only=True)


def differences(
    current: kinds.Resource, wanted: kinds.Resource, among: Collection[str] | None = None
) -> tuple[str, ...]:
    """Return the fields, by their name in the proto, in which two resources are not the same.

    `among` are those that count; None: all.
    """
    ours, theirs = _complete(wanted, current), _complete(current, current)
    fields = [
        known for known in current.DESCRIPTOR.fields if known.json_name not in specs.NOT_IN_SPEC
    ]
    compared = [known.name for known in fields] + ["labels"]
    return tuple(
        name
        for name in compared
        if (among is None or name in among) and getattr(ours, name) != getattr(theirs, name)
    )


def _complete(resource: kinds.Resource, current: kinds.Resource) -> kinds.Resource:
    """Return a resource with its defaults written out and its ranges in canonical spelling."""
    if isinstance(resource, resources_pb2.Reservation):
        reservation = resources_pb2.Reservation()
        reservation.CopyFrom(resource)
        reservation.cidrs[:] = _networks(resource.cidrs)
        # Stored to the microsecond.
        reservation.expire_time.nanos -= reservation.expire_time.nanos % 1000
        return reservation
    if isinstance(resource, resources_pb2.Vrf):
        return _complete_vrf(resource)
    if isinstance(resource, resources_pb2.Pool) and isinstance(current, resources_pb2.Pool):
        return _complete_pool(resource, current)
    return resource


def _complete_vrf(resource: resources_pb2.Vrf) -> resources_pb2.Vrf:
    vrf = resources_pb2.Vrf()
    vrf.CopyFrom(resource)
    if not vrf.configuration.HasField("auto_allocate_blocks"):
        vrf.configuration.auto_allocate_blocks = True
    if not vrf.configuration.HasField("history_retention_days"):
        vrf.configuration.history_retention_days = HISTORY_RETENTION_DAYS
    vrf.fixed_address_grants.sort(key=lambda each: each.namespace)
    for each in vrf.fixed_address_grants:
        each.cidrs[:] = _networks(each.cidrs)
    vrf.quotas.namespaces.sort(key=lambda each: each.namespace)
    if vrf.quotas == resources_pb2.Quotas():
        vrf.ClearField("quotas")
    return vrf


def _networks(cidrs: Iterable[str]) -> list[str]:
    """Return networks in canonical spelling, whatever order they were given in."""
    return sorted(str(manifests.network(cidr, bare=True, strict=False)) for cidr in cidrs)


def _complete_pool(resource: resources_pb2.Pool, current: resources_pb2.Pool) -> resources_pb2.Pool:
    pool = resources_pb2.Pool()
    pool.CopyFrom(resource)
    pool.cidr = str(ipaddress.ip_network(pool.cidr))
    # Fixed when the pool was created; a manifest that leaves it out does not ask for another.
    pool.block_size = pool.block_size or current.block_size
    pool.node_selector = _plain(pool.node_selector) or "all()"
    pool.namespace_selector = _plain(pool.namespace_selector)
    pool.assignment_mode = pool.assignment_mode or resources_pb2.ASSIGNMENT_MODE_AUTOMATIC
    pool.block_affinity = pool.block_affinity or resources_pb2.BLOCK_AFFINITY_NODE
    pool.cooldown_policy = pool.cooldown_policy or resources_pb2.COOLDOWN_POLICY_REFUSE
    pool.result_form = pool.result_form or resources_pb2.RESULT_FORM_HOST
    pool.fixed_addresses = pool.fixed_addresses or resources_pb2.FIXED_ADDRESSES_ANY
    pool.allowed_namespaces[:] = sorted(set(pool.allowed_namespaces))
    pool.allowed_uses[:] = sorted(pool.allowed_uses or _default_uses(pool))
    return pool


def _plain(selector: str) -> str:
    """Return a selector without blanks and with one kind of quotes, as far as that is safe.

    The server stores its own spelling; a difference in spelling alone is none.
    """
    words = re.findall(r'"[^"]*"|\'[^\']*\'|[^\s"\']+', selector)
    return "".join(
        f'"{word[1:-1]}"' if word[0] == "'" and '"' not in word else word for word in words
    )


def _default_uses(pool: resources_pb2.Pool) -> list[resources_pb2.Use.ValueType]:
    if pool.namespace_selector:
        return [resources_pb2.USE_WORKLOAD]
    return [resources_pb2.USE_WORKLOAD, resources_pb2.USE_TUNNEL]
