"""Failures of a call itself: malformed, too late, in doubt, too much at once."""

from moorage_server.domain.errors.ipam_error import IpamError


class InvalidRequest(IpamError):
    """Fields are missing, malformed or beyond their limits."""

    reason = "INVALID_REQUEST"

    def __init__(self, violations: list[tuple[str, str]]) -> None:
        """Takes (field path, what is wrong and what to do) pairs."""
        super().__init__("; ".join(f"{field}: {text}" for field, text in violations))
        self.violations = violations


class PageTokenMismatch(IpamError):
    """A page token belongs to another listing."""

    reason = "PAGE_TOKEN_MISMATCH"

    def __init__(self) -> None:
        """Has nothing to add."""
        super().__init__("the page token is not of this listing and filter; start again without it")


class Contention(IpamError):
    """Somebody else held a lock for too long."""

    reason = "CONTENTION"

    def __init__(self) -> None:
        """Has nothing to add."""
        super().__init__("other requests hold what this one needs; send the same call again")


class DatabaseUnavailable(IpamError):
    """The database cannot be reached or does not accept writes."""

    reason = "DATABASE_UNAVAILABLE"

    def __init__(self) -> None:
        """Has nothing to add: the details are in the server's log."""
        super().__init__("the database is not available; send the same call again")


class KubernetesUnavailable(IpamError):
    """Nobody can be asked whether a pod is what its node says."""

    reason = "KUBERNETES_UNAVAILABLE"

    def __init__(self) -> None:
        """Has nothing to add: the details are in the server's log."""
        super().__init__(
            "the Kubernetes API does not say whether there is such a pod; send the same call again"
        )


class OutcomeUnknown(IpamError):
    """Contact was lost after COMMIT was sent."""

    reason = "OUTCOME_UNKNOWN"

    def __init__(self) -> None:
        """Has nothing to add."""
        super().__init__(
            "the change may or may not have been made; send the same call again "
            "with the same attachment"
        )


class DeadlineTooShort(IpamError):
    """The caller's time was up before anything was changed."""

    reason = "DEADLINE_TOO_SHORT"

    def __init__(self) -> None:
        """Has nothing to add."""
        super().__init__("the deadline passed before anything was changed; allow more time")


class ServerBusy(IpamError):
    """Too many calls are waiting already, or this caller makes too many."""

    reason = "SERVER_BUSY"

    def __init__(self, why: str = "too many calls are waiting") -> None:
        """Says why, and what to do."""
        super().__init__(f"{why}; send the same call again a little later")


class InternalError(IpamError):
    """A fault of the server."""

    reason = "INTERNAL"

    def __init__(self, incident: str) -> None:
        """Takes the id under which the log tells more."""
        super().__init__(
            f"internal error; incident {incident} in the server's log", incident=incident
        )
