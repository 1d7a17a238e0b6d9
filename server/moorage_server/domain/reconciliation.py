"""Which attachments of a node are leaked, by the lists that it makes of what it has.

A list is out of date before it arrives: an assignment may have begun since, and one
that is under way is on no list yet. So nothing is released for being missing once. What
a list lacks becomes suspect, and is leaked if a later list lacks it too, after a grace
in which nobody has spoken for it. As long as the age of a list when it arrives, and the
time from an assignment until lists have it, are together within the grace, the list
that condemns was made when every list had to have it.

Suspicion is kept with the allocation, so whoever holds the address next is not under it.
"""

import dataclasses
import enum

from moorage_server.domain import actors, identity, model

DEFAULT_GRACE = 600  # seconds


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileRequest:
    """A node's list: all that it has, of one network or, where that is empty, of every one.

    What is of another `cluster` is none of it: a node there may have the same name. `attempt` is
    when it began to make the list. `from_records`: it was made from what is recorded, and can
    name nothing else. `by`: whoever sends it.
    """

    vrf: str
    node: str
    cluster: str = ""
    network: str = ""
    listed: frozenset[model.AttachmentKey] = frozenset()
    attempt: model.AttemptStamp | None = None
    grace: int = DEFAULT_GRACE
    validate_only: bool = False
    seen: model.Position | None = None
    from_records: bool = False
    by: actors.Act = actors.NOBODY

    def concerns(self, record: identity.Record | None) -> bool:
        """Whether the list should have an attachment of which this is remembered.

        Only workloads come and go with what a container runtime lists.
        """
        if record is None or not record.allocations:
            return False
        facts = record.allocations[0].facts
        is_here = (facts.workload.node, facts.workload.cluster) == (self.node, self.cluster)
        return is_here and facts.use is model.Use.WORKLOAD


class Verdict(enum.Enum):
    """What a list says of an attachment."""

    CONFIRMED = "it is there, or began after the list was made"
    SUSPECT = "it is missing, and may yet appear"
    LEAKED = "it was missing for the whole grace"


def judge(
    request: ReconcileRequest,
    attachment: model.AttachmentKey,
    record: identity.Record,
    tick: int,
) -> Verdict:
    """What a list says of an attachment that holds something, at this tick.

    In the tick that it became suspect in, any part of a second was left: the grace is
    counted from the next.
    """
    if attachment in request.listed or identity.is_older(request.attempt, record.stamp):
        return Verdict.CONFIRMED
    since = suspected_since(record)
    if since is None or tick <= since + request.grace:
        return Verdict.SUSPECT
    return Verdict.LEAKED


def suspected_since(record: identity.Record) -> int | None:
    """Since which tick all that an attachment holds is suspect; None where some is not.

    All or nothing: what it was given lately speaks for the rest.
    """
    ticks = [each.suspect_tick for each in record.allocations]
    known = [tick for tick in ticks if tick is not None]
    return max(known) if known and len(known) == len(ticks) else None


def changed(verdict: Verdict, record: identity.Record, tick: int) -> tuple[model.Allocation, ...]:
    """What becomes suspect by a verdict, or is so no more, as it is then."""
    if verdict is Verdict.LEAKED:
        return ()
    mark = tick if verdict is Verdict.SUSPECT else None
    return tuple(
        dataclasses.replace(each, suspect_tick=mark)
        for each in record.allocations
        if (each.suspect_tick is None) is (mark is not None)
    )


def releasing(
    request: ReconcileRequest, attachment: model.AttachmentKey, record: identity.Record
) -> model.ReleaseRequest:
    """Asks to release what was seen of a leaked attachment, if nothing has changed."""
    return model.ReleaseRequest(
        attachment=attachment,
        attempt=request.attempt,
        generations=frozenset(each.generation for each in record.allocations),
        suspected_until=suspected_since(record),
        by=request.by,
    )
