"""Refusals of the feed: what came after a cursor is not to be had, or not taken in time."""

from moorage_server.domain.errors.ipam_error import IpamError


class CursorExpired(IpamError):
    """What came after the cursor is older than the VRF keeps history."""

    reason = "CURSOR_EXPIRED"

    def __init__(self, vrf: str, revision: int, oldest_revision: int) -> None:
        """Says where the cursor is, and the first revision that is known."""
        super().__init__(
            f'the history of VRF "{vrf}" behind revision {revision} is gone, it begins at '
            f"{oldest_revision}; watch again without a cursor, and replace what was made of it",
            vrf=vrf,
            revision=str(revision),
            oldest_revision=str(oldest_revision),
        )


class CursorUnknown(IpamError):
    """The cursor is of another history, or ahead of this one."""

    reason = "CURSOR_UNKNOWN"

    def __init__(self, vrf: str, epoch: str, revision: int) -> None:
        """Says where the VRF is."""
        super().__init__(
            f'the cursor is of another history than that of VRF "{vrf}", which is at revision '
            f"{revision} of {epoch}: it was restored or made anew; watch again without a cursor, "
            "and replace what was made of it",
            vrf=vrf,
            epoch=epoch,
            revision=str(revision),
        )


class ConsumerTooSlow(IpamError):
    """More has piled up for a watch than is kept for it, or of an export nothing is taken."""

    reason = "CONSUMER_TOO_SLOW"

    def __init__(self, vrf: str, told: str = "") -> None:
        """Names the VRF; `told` says it where it is of no watch."""
        super().__init__(
            told
            or f'more changes of VRF "{vrf}" have piled up than are kept for one watch; '
            "come back with the last cursor, take messages faster, or watch less with a filter",
            vrf=vrf,
        )
