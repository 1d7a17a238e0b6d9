"""Why nothing new is assigned in a VRF, and when the list of a node ends that.

Where a database has gone back in time, addresses that it has as free may be held. Nobody
knows which, until each node has said what it has: what is on no list and in no record is
nobody's. A list says nothing of what began after it was made, and has what began before
only once its runtime does, so it counts when it is judged more than its grace after the
quarantine began; `reconciliation` has the reasons.
"""

import dataclasses
import datetime
import enum

from moorage_server.domain import model


class Cause(enum.StrEnum):
    """What happened to a VRF."""

    RESTORED = "RESTORED"
    WENT_BACK = "WENT_BACK"
    RULES_BROKEN = "RULES_BROKEN"

    @property
    def awaits_lists(self) -> bool:
        """Whether lists can tell what is not known; nothing but people can mend a broken rule."""
        return self is not Cause.RULES_BROKEN


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """One reason for which nothing new is assigned; `message` says what was seen."""

    cause: Cause
    message: str
    begin_time: datetime.datetime
    begin_tick: int

    def is_covered(self, *, grace: int, tick: int) -> bool:
        """Whether a list that is judged at this tick has all that was assigned before it began."""
        return tick > self.begin_tick + grace


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AwaitedList:
    """A list that has not come yet; of any cluster and network where they are empty."""

    node: str
    cluster: str
    network: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class UnknownAttachment:
    """What the list of a node names, and nobody holds."""

    node: str
    cluster: str
    attachment: model.AttachmentKey


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Why a VRF is in quarantine and what it waits for: some of it, and how much there is."""

    quarantines: tuple[Quarantine, ...]
    awaited: tuple[AwaitedList, ...]
    awaited_count: int
    unknown: tuple[UnknownAttachment, ...]
    unknown_count: int
