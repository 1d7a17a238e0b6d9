"""Compares what Calico left with what the server has, and brings the difference about.

`survey` changes nothing: it asks the server about every pool, reservation and configuration, and
about every block of a pool that is there, and decides by itself about those of pools that are still
to be created.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import moorage
from moorage import names
from moorage.ctl import changes, exits, kinds, manifests, rehearsal
from moorage.ctl.import_ import doubles, dump, holders, plan
from moorage.v1 import admin_service_pb2, resources_pb2

ORPHAN = "calico-orphan-"

# One call takes 1 MiB, and locks every attachment in it.
_CALL_BYTES = 128 * 1024
_CALL_ADDRESSES = 256
_PROGRESS = 100  # blocks between two lines of progress
_Told = TypeVar("_Told")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Range:
    """A pool that is there, or will be."""

    name: str
    cidr: dump.Network
    block_size: int
    exists: bool
    draining: bool = False


class Importer:
    """One dump and one VRF of a server."""

    def __init__(
        self,
        client: moorage.Client,
        found: dump.Dump,
        *,
        server: str,
        vrf: str,
        origin: holders.Origin,
        orphans: bool,
    ) -> None:
        self._client = client
        self._server = server
        self._dump = found
        self._vrf = vrf
        self._origin = origin
        self._orphans = orphans
        self._ranges = [_range(pool) for pool in client.pools(vrf=vrf)]

    def survey(self) -> plan.Plan:
        """Return what is to be done, and what is in the way; changes nothing."""
        steps = [self._step(manifest) for manifest in self._dump.manifests]
        if self._orphans:
            steps += self._orphan_steps()
        found = self._known_blocks()
        adopted = (self._addresses(block) for block in found)
        held = self._client.allocations(vrf=self._vrf, page_size=1000)
        beside = doubles.Doubles(itertools.chain.from_iterable(adopted), held)
        surveyed = (self._surveyed(block, beside) for block in _telling("checked", found))
        return plan.Plan(steps=tuple(steps), blocks=tuple(filter(_says_something, surveyed)))

    def carry_out(self, surveyed: plan.Plan) -> plan.Plan:
        """Return what became of a plan without conflicts; stops at the first new one.

        Everything else is there before the first block is adopted.
        """
        steps: list[plan.Step] = []
        blocks: list[plan.BlockStep] = []
        try:
            # Keeps what was done before a failure.
            steps.extend(map(self._done, surveyed.steps))
            for each in _telling("imported", surveyed.blocks):
                blocks.append(self._adopted(each, validate_only=False) if each.pool else each)
                if blocks[-1].conflicts:
                    break
        except exits.Failed as failed:
            return plan.Plan(
                steps=tuple(steps), blocks=tuple(blocks), failure=_to_be_continued(failed)
            )
        return plan.Plan(steps=tuple(steps), blocks=tuple(blocks))

    def _step(self, manifest: manifests.Manifest) -> plan.Step:
        if text := self._dump.contradictions.get(manifest.resource.name):
            return plan.Step(label=manifest.label, conflict=text)
        if isinstance(manifest.resource, resources_pb2.Pool):
            return self._pool_step(manifest, manifest.resource)
        with exits.doing(f"look at {manifest.label} ({manifest.where})", self._server):
            change = changes.find(self._client, manifest)
        if text := self._refused(change):
            return plan.Step(label=manifest.label, conflict=text)
        result = changes.CREATED if change.creates else changes.CONFIGURED
        unchanged = not change.creates and not change.paths
        return plan.Step(
            label=manifest.label, change=change, result=changes.UNCHANGED if unchanged else result
        )

    def _pool_step(self, manifest: manifests.Manifest, pool: resources_pb2.Pool) -> plan.Step:
        wanted = _range(pool, exists=False)
        there = next((each for each in self._ranges if each.cidr == wanted.cidr), None)
        if there is not None and there.block_size == wanted.block_size:
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

    def _refused(self, change: changes.Change) -> str:
        """Return why the server would refuse a change; empty where it would make it."""
        report = rehearsal.refusal(self._client, change, self._server)
        return "" if report is None else report.message

    def _kept(self, there: _Range, manifest: manifests.Manifest) -> plan.Step:
        """Return the step for a pool that is there; one of the same name is drained as Calico's."""
        label = f"pool/{there.name}"
        if not manifest.withdrawn or there.draining or label != manifest.label:
            return plan.Step(label=label)
        pool = resources_pb2.Pool(name=manifest.resource.name)
        return plan.Step(label=label, drained=pool, result=changes.CONFIGURED)

    def _in_the_way(self, wanted: _Range) -> str:
        for each in self._ranges:
            if each.name == wanted.name:
                return f"pool {each.name} is there with another range, {each.cidr}; rename one"
            if each.cidr.overlaps(wanted.cidr):
                return (
                    f"{wanted.cidr} overlaps {each.cidr} of pool {each.name}; they cannot both be"
                )
        return ""

    def _orphan_steps(self) -> Iterator[plan.Step]:
        for block in self._occupied_blocks():
            known = self._pool_of(block.cidr)
            if known is None:
                pool_id = ORPHAN + str(block.cidr).translate(str.maketrans(".:/", "---"))
                pool = resources_pb2.Pool(
                    name=names.pool(pool_id, self._vrf),
                    cidr=str(block.cidr),
                    block_size=block.cidr.prefixlen,
                )
                wanted = _range(pool, exists=False)
                if text := self._in_the_way(wanted) or self._refused(_creation(block, pool)):
                    yield plan.Step(label=f"pool/{pool_id}", conflict=text)
                    continue
                self._ranges.append(wanted)
                yield plan.Step(label=f"pool/{pool_id}", drained=pool, result=changes.CREATED)
            elif known.name.startswith(ORPHAN) and known.exists and not known.draining:
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

    def _occupied_blocks(self) -> list[dump.Block]:
        """Return the blocks of which something is held, or which belong to a node."""
        return [block for block in self._dump.blocks if block.holdings or block.node]

    def _known_blocks(self) -> list[dump.Block]:
        """Return those, and the others that may belong to a node here."""
        there = [each.cidr for each in self._ranges if each.exists]
        return [
            block
            for block in self._dump.blocks
            if block.holdings or block.node or any(_lies_in(block.cidr, each) for each in there)
        ]

    def _addresses(self, block: dump.Block) -> tuple[admin_service_pb2.AdoptedAddress, ...]:
        return tuple(holders.adopted(each, self._origin) for each in block.holdings)

    def _pool_of(self, cidr: dump.Network) -> _Range | None:
        return next((each for each in self._ranges if _lies_in(cidr, each.cidr)), None)

    def _surveyed(self, block: dump.Block, beside: doubles.Doubles) -> plan.BlockStep:
        addresses, pool = self._addresses(block), self._pool_of(block.cidr)
        step = plan.BlockStep(block=block, pool=pool.name if pool else "", addresses=addresses)
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
                yield doubles.conflict(each, other)

    def _promised(self, step: plan.BlockStep, pool: _Range) -> plan.BlockStep:
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
        return dataclasses.replace(step, adopted=len(step.addresses), changed=True)

    def _adopted(self, step: plan.BlockStep, *, validate_only: bool) -> plan.BlockStep:
        what = f"{'check' if validate_only else 'adopt'} block {step.block.cidr}"
        with exits.doing(what, self._server):
            return self._answered(step, validate_only=validate_only)

    def _answered(self, step: plan.BlockStep, *, validate_only: bool) -> plan.BlockStep:
        adopted = unchanged = released = 0
        changed, previous = False, ""
        conflicts: list[admin_service_pb2.AdoptConflict] = []
        for chunk in _chunks(step.addresses):
            answer = self._client.adopt_block(
                str(step.block.cidr),
                chunk,
                node=step.block.node,
                validate_only=validate_only,
                vrf=self._vrf,
            )
            adopted += answer.adopted_count
            unchanged += answer.unchanged_count
            released += answer.released_count
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
            changed=changed,
            previous_node=previous,
            conflicts=tuple(conflicts),
        )


def _says_something(step: plan.BlockStep) -> bool:
    return bool(step.block.holdings or step.block.node or step.changed)


def _creation(block: dump.Block, pool: resources_pb2.Pool) -> changes.Change:
    """Return the change that a pool for an orphan is."""
    where = f"block {block.cidr}"
    manifest = manifests.Manifest(where=where, kind=kinds.Kind.POOL, resource=pool)
    return changes.Change(manifest=manifest, current=None, paths=())


def _range(pool: resources_pb2.Pool, *, exists: bool = True) -> _Range:
    cidr = ipaddress.ip_network(pool.cidr)
    return _Range(
        name=names.id_of(pool.name),
        cidr=cidr,
        block_size=pool.block_size,
        exists=exists,
        draining=pool.state == resources_pb2.POOL_STATE_DRAINING,
    )


def _to_be_continued(failed: exits.Failed) -> exits.Failed:
    message = (
        f"{failed.report.message}; what is listed was done, and the same command goes on from there"
    )
    return exits.Failed(dataclasses.replace(failed.report, message=message))


def _lies_in(cidr: dump.Network, pool: dump.Network) -> bool:
    return cidr.version == pool.version and cidr[0] in pool and cidr[-1] in pool


def _chunks(
    addresses: Sequence[admin_service_pb2.AdoptedAddress],
) -> Iterator[list[admin_service_pb2.AdoptedAddress]]:
    """Yield the addresses in groups that one call can carry; one group where there are none."""
    chunk: list[admin_service_pb2.AdoptedAddress] = []
    size = 0
    for each in addresses:
        if len(chunk) == _CALL_ADDRESSES or (chunk and size + each.ByteSize() > _CALL_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(each)
        size += each.ByteSize()
    yield chunk


def _telling(done: str, blocks: Sequence[_Told]) -> Iterator[_Told]:
    """Yield the blocks, and say now and then how many of them are behind us."""
    for count, block in enumerate(blocks):
        if count and count % _PROGRESS == 0:
            exits.note(f"{done} {count} of {len(blocks)} blocks")
        yield block
