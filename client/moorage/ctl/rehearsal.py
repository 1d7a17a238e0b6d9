"""Asks the server about every change of an input before the first of them is made.

The server is asked about each as if it were alone; what two documents of one input do to each
other is found here.
"""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import moorage
from moorage import names
from moorage.ctl import changes, exits
from moorage.v1 import resources_pb2

# The other ways for a call to end say nothing of the document.
_REFUSALS = frozenset({exits.Exit.USAGE, exits.Exit.NOT_FOUND, exits.Exit.CONFLICT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A change that cannot be made, and why."""

    change: changes.Change
    report: exits.Report


def refusals(
    client: moorage.Client, planned: Sequence[changes.Change], server: str
) -> Iterator[Refusal]:
    """Yield the changes that cannot be made one after the other; makes none.

    Raises exits.Failed where the server does not answer the question.
    """
    answers = outcomes(client, planned, server)
    return (each for each in answers if isinstance(each, Refusal))


def outcomes(
    client: moorage.Client, planned: Sequence[changes.Change], server: str
) -> Iterator[str | Refusal]:
    """Yield for each change what making it would return, or that it cannot be made.

    Raises exits.Failed where the server does not answer the question.
    """
    made: list[changes.Change] = []
    for change in planned:
        answer = _overlap(change, made) or _asked(client, change, server, made)
        if isinstance(answer, exits.Report):
            yield Refusal(change=change, report=answer)
            continue
        if change.creates:
            made.append(change)
        yield answer


def refusal(
    client: moorage.Client,
    change: changes.Change,
    server: str,
    made: Sequence[changes.Change] = (),
) -> exits.Report | None:
    """Return why the server would refuse a change after those that are `made` before it; None
    where it would make it.
    """
    answer = _asked(client, change, server, made)
    return answer if isinstance(answer, exits.Report) else None


def _asked(
    client: moorage.Client, change: changes.Change, server: str, made: Sequence[changes.Change]
) -> str | exits.Report:
    """Return what becomes of a change after those that are `made` before it."""
    manifest = change.manifest
    try:
        return _rehearse(client, change, {each.manifest.resource.name for each in made})
    except moorage.MoorageError as error:
        report = exits.report_of(error, server, manifest.place_of)
        if report.exit in _REFUSALS:
            return report
        raise exits.Failed(exits.acting(f"check {_named(change)}", report)) from error


def check(client: moorage.Client, planned: Sequence[changes.Change], server: str) -> list[str]:
    """Return what becomes of each; raise exits.Failed with all that is refused, if anything is."""
    answers = list(outcomes(client, planned, server))
    refused = [each for each in answers if isinstance(each, Refusal)]
    if refused:
        raise exits.Failed(_together(refused))
    return [each for each in answers if isinstance(each, str)]


def _rehearse(client: moorage.Client, change: changes.Change, made: set[str]) -> str:
    vrf = names.vrf(names.vrf_of(change.manifest.resource.name))
    try:
        return changes.rehearse(client, change, creating=change.manifest.resource.name in made)
    except moorage.NotFound as error:
        # What is well formed fits into a VRF in which there is nothing.
        if error.reason != "VRF_NOT_FOUND" or vrf not in made:
            raise
        return changes.CREATED


def _overlap(change: changes.Change, made: Sequence[changes.Change]) -> exits.Report | None:
    """Return why a pool cannot be created after those of earlier documents."""
    pool = change.manifest.resource
    if not change.creates or not isinstance(pool, resources_pb2.Pool):
        return None
    for each in made:
        other = each.manifest.resource
        if isinstance(other, resources_pb2.Pool) and _do_overlap(pool, other):
            return exits.Report(
                code="ALREADY_EXISTS",
                reason="POOL_OVERLAPS",
                message=f"spec.cidr: {pool.cidr} overlaps {other.cidr} of {_named(each)}; leave "
                "out one of them, or give it another range",
                exit=exits.Exit.CONFLICT,
            )
    return None


def _do_overlap(one: resources_pb2.Pool, other: resources_pb2.Pool) -> bool:
    if names.vrf_of(one.name) != names.vrf_of(other.name):
        return False
    ours, theirs = (ipaddress.ip_network(each.cidr, strict=False) for each in (one, other))
    return ours.version == theirs.version and ours.overlaps(theirs)


def _together(refused: Sequence[Refusal]) -> exits.Report:
    """Return the first refusal, which says what the others are."""
    first = exits.acting(f"apply {_named(refused[0].change)}", refused[0].report)
    others = [moorage.Violation(_named(each.change), each.report.message) for each in refused[1:]]
    message = f"{first.message}; nothing was changed"
    return dataclasses.replace(first, message=message, violations=(*first.violations, *others))


def _named(change: changes.Change) -> str:
    return f"{change.manifest.label} ({change.manifest.where})"
