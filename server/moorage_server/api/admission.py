"""Who is let in while more is asked for than can be done.

Calls are of three classes. Releases go first, since what they give back may be what others wait
for; then assigns; queries have a few threads of their own. A burst is worked off, but where a call
would have to wait for too long it is turned away at once, before its request is read: whatever is
done for it is taken from those who are served.
"""

import asyncio
import enum
import time
from typing import Final

import structlog

BATCH_SIZE: Final = 128  # assigns and releases that one transaction has at most
# Where calls are turned away: whoever comes waits until the batch under way has ended.
CROWDED_BATCH_SIZE: Final = 64
CROWDED: Final = 10.0  # seconds from the last call that was turned away
LONGEST_WAIT: Final = 2.0  # seconds that an assign or a release may have to wait for its turn
WAITING_QUERIES: Final = 256
FIRST_PACE: Final = 0.001  # seconds for a call, until something is known
STEP: Final = 0.2  # of what a large batch tells, to what is known
# What any batch can tell: else one that hung would have so few let in that none is full again.
SLOWEST_PACE: Final = LONGEST_WAIT / (4 * BATCH_SIZE)
MOMENT: Final = 0.005  # seconds; gRPC hands the next of its queue over in a thread of its own
TELL_EVERY: Final = 1.0  # seconds between two lines of the log

_log = structlog.get_logger()


class Class(enum.StrEnum):
    """What a call is, for whoever decides which goes first."""

    RELEASE = "release"
    ASSIGN = "assign"
    QUERY = "query"


_SERVICE: Final = "/moorage.v1.AllocationService/"
_CLASSES: Final = {
    f"{_SERVICE}ReleaseAddresses": Class.RELEASE,
    f"{_SERVICE}AssignAddresses": Class.ASSIGN,
}


class Admission:
    """Who waits in one server process, and how many were turned away."""

    def __init__(self) -> None:
        """Nobody waits, and nobody was turned away."""
        self.waiting = dict.fromkeys(Class, 0)
        self.turned_away: dict[str, int] = dict.fromkeys(Class, 0)
        self.came = 0  # calls, whatever became of them
        self._pace = FIRST_PACE
        self._tell_at = 0.0
        self._crowded_until = 0.0

    @property
    def batch_size(self) -> int:
        """How many calls the next transaction has at most.

        Of a large batch a call costs a fifth less, and in a crowd a release takes twice as long.
        """
        return CROWDED_BATCH_SIZE if time.monotonic() < self._crowded_until else BATCH_SIZE

    def turns_away(self, method: str) -> bool:
        """Whether a call that has just come is to be turned away."""
        self.came += 1
        return not self.admits(_CLASSES.get(method, Class.QUERY))

    def admits(self, of: Class) -> bool:
        """Whether there is room for one more of a class; where not, it counts as turned away."""
        if self._has_room(of):
            return True
        self.refuse(of)
        return False

    def refuse(self, of: Class) -> None:
        """One was turned away."""
        self.turned_away[of] += 1
        now = time.monotonic()
        self._crowded_until = now + CROWDED
        if now >= self._tell_at:
            self._tell_at = now + TELL_EVERY
            # A line of the log for each would cost more than the call itself.
            told = {f"{each}s": count for each, count in self.turned_away.items()}
            _log.warning("turns calls away; so far", **told)

    def served(self, calls: int, seconds: float) -> None:
        """A large batch took so long. Small ones tell less: most of their time is the commit's."""
        self._pace += STEP * (min(seconds / calls, SLOWEST_PACE) - self._pace)

    async def take_up(self, longest: float) -> None:
        """Returns when nobody waits outside, or as much time has gone as may be given."""
        until = time.monotonic() + longest
        while (now := time.monotonic()) < until:
            came, used = self.came, time.thread_time()
            await asyncio.sleep(MOMENT)
            # A loop that is late had others to answer, and may not have been told who comes.
            on_time = time.monotonic() < now + 2 * MOMENT
            # Those outside keep it busy; where calls come one by one, it rests in between.
            is_idle = time.thread_time() < used + MOMENT / 2
            if on_time and (is_idle or came == self.came):
                return

    def _has_room(self, of: Class) -> bool:
        if of is Class.QUERY:
            return self.waiting[of] < WAITING_QUERIES
        ahead = self.waiting[Class.RELEASE]
        if of is Class.ASSIGN:
            ahead += self.waiting[of]
        return ahead * self._pace <= LONGEST_WAIT
