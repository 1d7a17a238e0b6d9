"""The one time limit of a plugin call, shared by everything it waits for."""

import time
from typing import NamedTuple, Self

from moorage.cni import errors


class Deadline(NamedTuple):
    """A moment on the monotonic clock, in seconds."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Self:
        """Begins to count now."""
        return cls(time.monotonic() + seconds)

    def or_within(self, seconds: float) -> Self:
        """Returns this one, or the moment so many seconds from now if that is earlier."""
        return type(self)(min(self.at, time.monotonic() + seconds))

    def remaining(self, waiting_for: str) -> float:
        """Says how many seconds are left, always more than 0.

        Raises:
            CniError: none are left; it names what would have been waited for.
        """
        left = self.at - time.monotonic()
        if left <= 0:
            raise errors.CniError(
                errors.Code.TRY_AGAIN_LATER,
                f"no time left for {waiting_for}",
                "the runtime tries again; ipam.timeout_seconds of the CNI config may allow more",
            )
        return left
