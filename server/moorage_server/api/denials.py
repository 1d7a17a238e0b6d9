"""Tells the log of who is not let in, or may not do what it asks for; who tries again and again
does not flood it.
"""

import time
from collections.abc import Callable
from typing import Final

import structlog

from moorage_server.api import peers
from moorage_server.domain import callers, errors

# What one caller alone can bring about as often as he likes.
KINDS: Final = (
    errors.CredentialRefused,
    errors.ServerBusy,
    errors.MethodNotAllowed,
    errors.NotYours,
    errors.NamespaceNotGranted,
    errors.PodNotVerified,
)
EVERY: Final = 10.0  # seconds from one line about a caller and a cause to the next
_MOST: Final = 1000  # callers and causes that are kept apart

_log = structlog.get_logger()


class Denials:
    """Of each source, caller and cause one line at a time says how many calls it stands for.

    Why is said, from where, and who it was if that is known; what was shown never is.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Nobody has been denied anything."""
        self._clock = clock
        self._begun_at = clock()
        self._untold: dict[tuple[str, str, str], int] = {}

    def tell(self, peer: str, caller: str, refusal: errors.IpamError, **told: object) -> None:
        """Somebody, called so if that is known, came from this peer of gRPC and was refused."""
        if self._clock() >= self._begun_at + EVERY:
            self._sum_up()
        of = peers.host(peer), _who(caller, refusal), _cause(refusal)
        if of in self._untold:
            self._untold[of] += 1
        elif len(self._untold) < _MOST:
            self._untold[of] = 0
            _log.warning(_event(refusal), **{**refusal.metadata, **told, **_named(of)})

    def _sum_up(self) -> None:
        untold, self._untold = self._untold, {}
        self._begun_at = self._clock()
        for of, count in untold.items():
            if count:
                _log.warning("denied again", calls=count, **_named(of))


def _event(refusal: errors.IpamError) -> str:
    is_outside = isinstance(refusal, errors.CredentialRefused | errors.ServerBusy)
    return "not let in" if is_outside else "not allowed"


def _who(caller: str, refusal: errors.IpamError) -> str:
    if isinstance(refusal, errors.CredentialRefused):
        return refusal.who
    # Whose name that is has not been asked, or not yet.
    return "" if caller == callers.ANONYMOUS.name else caller


def _cause(refusal: errors.IpamError) -> str:
    return refusal.metadata.get("cause", refusal.reason)


def _named(of: tuple[str, str, str]) -> dict[str, str]:
    source, caller, cause = of
    return {"source": source, "cause": cause} | ({"caller": caller} if caller else {})
