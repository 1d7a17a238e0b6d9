"""The schedules of two actors, each once.

Schedules that differ only in the order of neighbours which do not conflict come to the
same, so one of them is played: the first in the dictionary, where actor 0 goes before
actor 1. Two rules find it, and both lose nothing:

1. *After a step of actor 1, actor 0 goes only where its next step conflicts with that
   one*, or was not possible before it. Where it does not, the two could be swapped, and
   the swapped schedule is earlier in the dictionary. That no neighbours can be swapped to
   the front is also enough to be the first: a step of 0 never passes another step of 0, so
   all that it could pass are the steps of 1 right before it.
2. *Actor 1 goes in place of actor 0 only where one of its later steps conflicts with the
   step of 0 it comes before*, as was seen in the schedules that begin with the latter,
   which are played first. If none does, 1 does the same steps before it as after it, and
   every such schedule can be swapped into one of those.

What the rules cannot foresee is that 1 comes to its end without a conflict; such a
schedule is played all the same, and counted as a repetition. Nor can they foresee that a
statement fails, which ends its transaction: it counts as its ROLLBACK from then on.
Not compared, and so free to differ, is what depends on nothing but the order of
neighbours: the time, random values, and the numbers that a sequence gives.

An actor that waits for a lock is not free: there is no choice, so blocked branches cost
nothing. That a statement began to wait matters, and is kept apart from its beginning
after the other's COMMIT: it sees what was there when it began.

`switches` bounds how often the turn may be taken from one who could go on; most known
bugs need one or two. The schedules are then a part of all, the same ones every time.
"""

import dataclasses
from collections.abc import Callable, Iterator

from interleavings.footprint import NONE, Footprint
from interleavings.scheduler import Choose, Moment, Performance

Play = Callable[[Choose], Performance]

TRIES = 5


@dataclasses.dataclass(slots=True)
class _Turn:
    """A turn in the present schedule."""

    who: int
    forked: bool  # whether the other one could have gone
    switches: int  # up to here
    touched: Footprint = NONE
    met: bool = False  # whether a later step of the other conflicts with it


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A schedule that was played; a `repeated` one comes to the same as an earlier one."""

    performance: Performance
    repeated: bool


class Explorer:
    """Depth first, playing every schedule from its start."""

    def __init__(self, *, switches: int | None = None, reduced: bool = True) -> None:
        """Without `switches`, everything; not `reduced`, repetitions as well."""
        self._bound = switches
        self._reduced = reduced
        self._turns: list[_Turn] = []
        self._at = 0
        self._repeated = False
        self._astray = False

    def explore(self, play: Play) -> Iterator[Found]:
        """Plays one schedule after the other until all are played."""
        while True:
            performance = self._play(play)
            self._note(performance)
            yield Found(performance=performance, repeated=self._repeated)
            if not self._turn_back():
                return

    def _play(self, play: Play) -> Performance:
        # Which one PostgreSQL ends of two in a deadlock is a matter of milliseconds; on a
        # busy machine it may be the other one for once.
        kept = len(self._turns)
        for _ in range(TRIES):
            self._at, self._repeated, self._astray = 0, False, False
            performance = play(self._choose)
            if not self._astray:
                return performance
            del self._turns[kept:]
        raise AssertionError(f"the same turns led elsewhere:\n{performance}")

    def _choose(self, moment: Moment) -> int:
        if self._at == len(self._turns):
            self._turns.append(self._next(moment))
        who = self._turns[self._at].who
        self._at += 1
        if who not in moment.free:
            self._astray = True
        return who if not self._astray else min(moment.free)

    def _next(self, moment: Moment) -> _Turn:
        may = sorted(who for who in moment.free if self._allowed(who, moment))
        if not may:
            self._repeated = True
            may = sorted(moment.free)
        return _Turn(who=may[0], forked=may == [0, 1], switches=self._switched(may[0], moment))

    def _allowed(self, who: int, moment: Moment) -> bool:
        if self._bound is not None and self._switched(who, moment) > self._bound:
            return False
        return who == 1 or not self._reduced or _comes_first(moment)

    def _switched(self, who: int, moment: Moment) -> int:
        before = self._turns[self._at - 1] if self._at else None
        if before is None:
            return 0
        return before.switches + (who != before.who and before.who in moment.free)

    def _note(self, performance: Performance) -> None:
        """Keeps for every turn whether a later step of the other conflicts with it."""
        for at, (turn, step) in enumerate(zip(self._turns, performance.steps, strict=True)):
            turn.touched = step.touched
            for earlier in self._turns[:at]:
                if earlier.who != turn.who and self._matters(earlier.touched, turn.touched):
                    earlier.met = True

    def _matters(self, one: Footprint, other: Footprint) -> bool:
        return not self._reduced or one.conflicts(other)

    def _turn_back(self) -> bool:
        """Gives the last turn of 0 that is worth it to 1; says whether there was one."""
        while self._turns:
            turn = self._turns.pop()
            if turn.who == 0 and turn.forked and turn.met:
                switched = self._turns and self._turns[-1].who == 0
                before = self._turns[-1].switches if self._turns else 0
                after = before + bool(switched)
                if self._bound is None or after <= self._bound:
                    self._turns.append(_Turn(who=1, forked=False, switches=after))
                    return True
        return False


def _comes_first(moment: Moment) -> bool:
    """The first rule, for actor 0."""
    last, pending = moment.last, moment.pending[0]
    if last is None or last.who == 0 or 0 not in moment.were_free:
        return True
    return pending is not None and pending.conflicts(last.touched)
