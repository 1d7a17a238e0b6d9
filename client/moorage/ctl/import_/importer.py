"""Compares what another IPAM left with what the server has, and brings the difference about.

`survey` changes nothing: it asks the server about every pool, reservation and configuration, and
about every block of a pool that is there, and decides by itself about those of pools that are still
to be created.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import TypeVar

import moorage
from moorage import names
from moorage.ctl import changes, exits, kinds, manifests, progress, rehearsal
from moorage.ctl.import_ import doubles, estate, keeping, plan, ranges
from moorage.v1 import admin_service_pb2, reconciliation_pb2, resources_pb2

# One call takes 1 MiB, and locks every attachment in it.
_CALL_BYTES = 128 * 1024
_CALL_ADDRESSES = 256


_Listed = TypeVar("_Listed", admin_service_pb2.AdoptedAddress, reconciliation_pb2.StickyAddress)


class Importer:
    """One estate and one VRF of a server."""

    def __init__(
        self,
        client: moorage.Client,
        found: estate.Estate,
        *,
        server: str,
        vrf: str,
        orphans: bool,
    ) -> None:
        self._client = client
        self._server = server
        self._found = found
        self._vrf = vrf
        self._orphans = orphans
        self._makers: dict[str, manifests.Manifest] = {}
        self._orphan = f"{found.source.lower()}-orphan-"
        self._missing: list[changes.Change] = []
        self._there = {names.id_of(pool.name): pool for pool in self._pools()}
        self._ranges = [ranges.of(pool, exists=True) for pool in self._there.values()]

    def survey(self) -> plan.Plan:
        """Return what is to be done, and what is in the way; changes nothing."""
        held = list(self._held())
        self._keeping = keeping.Keeping(self._found, held)
        asked = progress.through(self._found.manifests, "resources checked")
        steps = [self._step(manifest) for manifest in asked]
        blocks = ranges.cut(self._found, self._ranges)
        if self._orphans:
            steps += self._orphan_steps(blocks)
        found = self._known(blocks)
        adopted = itertools.chain.from_iterable(block.addresses for block in found)
        beside = doubles.Doubles(adopted, held)
        looked_at = progress.through(found, "blocks checked")
        surveyed = (self._surveyed(block, beside) for block in looked_at)
        return plan.Plan(steps=tuple(steps), blocks=tuple(filter(_says_something, surveyed)))

    def _pools(self) -> Iterator[resources_pb2.Pool]:
        """Yield the pools that are there; notes where not even their VRF is, but is to be made."""
        try:
            yield from self._client.pools(vrf=self._vrf)
        except moorage.NotFound:
            self._missing = [
                changes.Change(manifest=each, current=None, paths=())
                for each in self._found.manifests
                if each.kind is kinds.Kind.VRF
            ]
            if not self._missing:
                raise

    def _held(self) -> Iterator[resources_pb2.Allocation]:
        return (
            iter(()) if self._missing else self._client.allocations(vrf=self._vrf, page_size=1000)
        )

    def carry_out(self, surveyed: plan.Plan) -> plan.Plan:
        """Return what became of a plan without conflicts; stops at the first new one.

        Everything else is there before the first block is adopted.
        """
        steps: list[plan.Step] = []
        blocks: list[plan.BlockStep] = []
        try:
            # Keeps what was done before a failure.
            steps.extend(map(self._done, progress.through(surveyed.steps, "resources made")))
            for each in progress.through(surveyed.blocks, "blocks adopted"):
                blocks.append(self._adopted(each, validate_only=False) if each.pool else each)
                if blocks[-1].conflicts:
                    break
        except exits.Failed as failed:
            return plan.Plan(
                steps=tuple(steps), blocks=tuple(blocks), failure=_to_be_continued(failed)
            )
        return plan.Plan(steps=tuple(steps), blocks=tuple(blocks))

    def _step(self, manifest: manifests.Manifest) -> plan.Step:
        if text := self._contradiction(manifest):
            return plan.Step(label=manifest.label, conflict=text)
        if isinstance(manifest.resource, resources_pb2.Pool):
            return self._pool_step(manifest, manifest.resource)
        with exits.doing(f"look at {manifest.label} ({manifest.where})", self._server):
            change = changes.find(self._client, manifest)
        if text := self._refused(change):
            return plan.Step(label=manifest.label, conflict=text)
        if not change.creates and not change.paths:
            return plan.Step(label=manifest.label, change=change)
        if text := self._keeping.in_the_way(manifest.resource):
            return plan.Step(label=manifest.label, conflict=text)
        result = changes.CREATED if change.creates else changes.CONFIGURED
        return plan.Step(label=manifest.label, change=change, result=result)

    def _contradiction(self, manifest: manifests.Manifest) -> str:
        """Return why a manifest does not go together with those before it; empty where it does."""
        name = manifest.resource.name
        known = self._makers.setdefault(name, manifest)
        if known is not manifest:
            return f"{manifest.where} and {known.where} both make it; leave one of them out"
        return self._found.contradictions.get(name, "")

    def _pool_step(self, manifest: manifests.Manifest, pool: resources_pb2.Pool) -> plan.Step:
        wanted = ranges.of(pool, exists=False)
        there = self._in_place_of(wanted, pool)
        if there is not None and pool.block_size in (0, there.block_size):
            return self._kept(there, manifest)
        if there is not None:
            text = (
                f"pool {there.name} has the same range with block size {there.block_size}, not "
                f"{wanted.block_size}; delete it while it is empty"
            )
            return plan.Step(label=manifest.label, conflict=text)
        change = changes.Change(manifest=manifest, current=None, paths=())
        if text := self._in_the_way(wanted) or self._refused(change):
            return plan.Step(label=manifest.label, conflict=text)
        self._ranges.append(wanted)
        if manifest.withdrawn:
            return plan.Step(label=manifest.label, drained=pool, result=changes.CREATED)
        return plan.Step(label=manifest.label, change=change, result=changes.CREATED)

    def _in_place_of(self, wanted: ranges.Range, pool: resources_pb2.Pool) -> ranges.Range | None:
        """Return the pool of the same range; where no blocks are cut, a larger one is as good."""
        if not pool.block_size:
            return ranges.holding(wanted.cidr, [each for each in self._ranges if each.exists])
        return next((each for each in self._ranges if each.cidr == wanted.cidr), None)

    def _refused(self, change: changes.Change) -> str:
        """Return why the server would refuse a change; empty where it would make it."""
        report = rehearsal.refusal(self._client, change, self._server, made=self._missing)
        return "" if report is None else report.message

    def _kept(self, there: ranges.Range, manifest: manifests.Manifest) -> plan.Step:
        """Return the step for a pool that is there; one of the same name is drained as Calico's."""
        label = f"pool/{there.name}"
        differing: tuple[str, ...] = ()
        if self._found.is_exact and there.name in self._there:
            differing = changes.differences(self._there[there.name], manifest.resource)
        if not manifest.withdrawn or there.draining or label != manifest.label:
            return plan.Step(label=label, differing=differing)
        pool = resources_pb2.Pool(name=manifest.resource.name)
        return plan.Step(label=label, drained=pool, result=changes.CONFIGURED, differing=differing)

    def _in_the_way(self, wanted: ranges.Range) -> str:
        for each in self._ranges:
            if each.name == wanted.name:
                return f"pool {each.name} is there with another range, {each.cidr}; rename one"
            if each.cidr.overlaps(wanted.cidr):
                return (
                    f"{wanted.cidr} overlaps {each.cidr} of pool {each.name}; they cannot both be"
                )
        return ""

    def _orphan_steps(self, blocks: Sequence[estate.Block]) -> Iterator[plan.Step]:
        for block in filter(_is_occupied, blocks):
            known = ranges.holding(block.cidr, self._ranges)
            if known is None:
                pool_id = self._orphan + estate.slug(str(block.cidr))
                pool = resources_pb2.Pool(
                    name=names.pool(pool_id, self._vrf),
                    cidr=str(block.cidr),
                    block_size=block.cidr.prefixlen,
                )
                wanted = ranges.of(pool, exists=False)
                if text := self._in_the_way(wanted) or self._refused(_creation(block, pool)):
                    yield plan.Step(label=f"pool/{pool_id}", conflict=text)
                    continue
                self._ranges.append(wanted)
                yield plan.Step(label=f"pool/{pool_id}", drained=pool, result=changes.CREATED)
            elif known.name.startswith(self._orphan) and known.exists and not known.draining:
                pool = resources_pb2.Pool(name=names.pool(known.name, self._vrf))
                yield plan.Step(label=f"pool/{known.name}", drained=pool, result=changes.CONFIGURED)

    def _done(self, step: plan.Step) -> plan.Step:
        result, where = step.result, ""
        if step.change is not None:
            where = f" ({step.change.manifest.where})"
        with exits.doing(f"import {step.label}{where}", self._server):
            if step.change is not None:
                result = changes.make(self._client, step.change)
            if step.drained is not None:
                if step.result == changes.CREATED:
                    kinds.create(self._client, step.drained)
                self._client.drain_pool(step.drained.name)
        return dataclasses.replace(step, result=result)

    def _known(self, blocks: Sequence[estate.Block]) -> list[estate.Block]:
        """Return the blocks that are occupied, and the others that may belong to a node here."""
        there = [each for each in self._ranges if each.exists]
        return [
            block
            for block in blocks
            if _is_occupied(block) or ranges.holding(block.cidr, there) is not None
        ]

    def _surveyed(self, block: estate.Block, beside: doubles.Doubles) -> plan.BlockStep:
        pool = ranges.holding(block.cidr, self._ranges)
        name = pool.name if pool else ""
        step = plan.BlockStep(block=block, pool=name, addresses=block.addresses)
        if pool is None:
            return step
        made = self._promised(step, pool)
        conflicts = self._doubled(made, beside, exists=pool.exists)
        return dataclasses.replace(made, conflicts=(*made.conflicts, *conflicts))

    def _doubled(
        self, step: plan.BlockStep, beside: doubles.Doubles, *, exists: bool
    ) -> Iterator[admin_service_pb2.AdoptConflict]:
        for each in step.addresses:
            other = beside.of(each)
            # One that is held so already, or was released since, is not added to the other.
            alone = dataclasses.replace(step, addresses=(each,))
            if other and (not exists or self._adopted(alone, validate_only=True).adopted):
                yield doubles.conflict(each, other, self._found.source)

    def _promised(self, step: plan.BlockStep, pool: ranges.Range) -> plan.BlockStep:
        """Return what becomes of a block: said by the server, if the pool is there."""
        block = step.block
        if pool.exists:
            return self._adopted(step, validate_only=True)
        if pool.block_size != block.cidr.prefixlen:
            text = (
                f"{block.cidr} is not a block of pool {pool.name}, whose block size is "
                f"{pool.block_size}"
            )
            conflict = admin_service_pb2.AdoptConflict(message=text)
            return dataclasses.replace(step, conflicts=(conflict,))
        # The server knows of no such pool yet, and says all the same what it would never take.
        if not self._missing:
            self._adopted(step, validate_only=True)
        if conflicts := tuple(ranges.withheld(block, pool)):
            return dataclasses.replace(step, conflicts=conflicts)
        return dataclasses.replace(
            step, adopted=len(step.addresses), kept=len(block.sticky), changed=True
        )

    def _adopted(self, step: plan.BlockStep, *, validate_only: bool) -> plan.BlockStep:
        what = f"{'check' if validate_only else 'adopt'} block {step.block.cidr}"
        with exits.doing(what, self._server):
            return self._answered(step, validate_only=validate_only)

    def _answered(self, step: plan.BlockStep, *, validate_only: bool) -> plan.BlockStep:
        adopted = unchanged = released = kept = 0
        changed, previous = False, ""
        conflicts: list[admin_service_pb2.AdoptConflict] = []
        for addresses, sticky in _calls(step):
            answer = self._client.adopt_block(
                str(step.block.cidr),
                addresses,
                node=step.block.node,
                sticky_addresses=sticky,
                validate_only=validate_only,
                vrf=self._vrf,
            )
            adopted += answer.adopted_count
            unchanged += answer.unchanged_count
            released += answer.released_count
            kept += answer.kept_count
            changed = changed or answer.block_changed
            previous = previous or answer.previous_node
            conflicts += [each for each in answer.conflicts if each not in conflicts]
            if conflicts and not validate_only:
                break
        return dataclasses.replace(
            step,
            adopted=adopted,
            unchanged=unchanged,
            released=released,
            kept=kept,
            changed=changed,
            previous_node=previous,
            conflicts=tuple(conflicts),
        )


def _is_occupied(block: estate.Block) -> bool:
    """Whether something is held of a block, or it belongs to a node."""
    return bool(block.addresses or block.sticky or block.node)


def _says_something(step: plan.BlockStep) -> bool:
    return _is_occupied(step.block) or step.changed


def _creation(block: estate.Block, pool: resources_pb2.Pool) -> changes.Change:
    """Return the change that a pool for an orphan is."""
    where = f"block {block.cidr}"
    manifest = manifests.Manifest(where=where, kind=kinds.Kind.POOL, resource=pool)
    return changes.Change(manifest=manifest, current=None, paths=())


def _to_be_continued(failed: exits.Failed) -> exits.Failed:
    message = (
        f"{failed.report.message}; what is listed was done, and the same command goes on from there"
    )
    return exits.Failed(dataclasses.replace(failed.report, message=message))


def _calls(
    step: plan.BlockStep,
) -> Iterator[
    tuple[list[admin_service_pb2.AdoptedAddress], list[reconciliation_pb2.StickyAddress]]
]:
    """Yield what each call for a block carries: at least one, for whom it belongs to."""
    chunks = list(_chunks(step.addresses)) if step.addresses or not step.block.sticky else []
    yield from ((chunk, []) for chunk in chunks)
    yield from (([], chunk) for chunk in _chunks(step.block.sticky) if chunk)


def _chunks(listed: Sequence[_Listed]) -> Iterator[list[_Listed]]:
    """Yield addresses in groups that one call can carry; one group where there are none."""
    chunk: list[_Listed] = []
    size = 0
    for each in listed:
        if len(chunk) == _CALL_ADDRESSES or (chunk and size + each.ByteSize() > _CALL_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(each)
        size += each.ByteSize()
    yield chunk
