"""What is wanted of a feed: every event is laid out once for all who want it.

Agents and firewalls watch a node each, by the thousand. So an event is tried only where
its node is wanted or any is, and who wants nothing of it is not woken. The newest stay for
a while, wanted or not: who comes back finds what it has missed.
"""

import bisect
import collections
import dataclasses
import functools
import itertools
from collections.abc import Iterable

from moorage_server.api import encode_watch
from moorage_server.api.bell import Bell
from moorage_server.domain import feed, history

RECENT = 10_000  # events that stay for who comes back


class Entry:
    """An event, and the part of a message that tells of it, made once for all who are told."""

    def __init__(self, event: history.Event) -> None:
        """Nobody has been told of it."""
        self.event = event
        self.revision = event.revision  # its place in the feed

    @functools.cached_property
    def part(self) -> bytes:
        """Of a message that tells of it."""
        return encode_watch.event(self.event)


class Selection:
    """The newest events that are wanted by those who want the same."""

    def __init__(self, interest: feed.Interest, start: int) -> None:
        """Begins empty, behind a revision."""
        self.interest = interest
        self.followers = 0
        self.grown = Bell()
        self._start = start  # everything behind it that is wanted is here
        self._entries: list[Entry] = []

    def has(self, revision: int) -> bool:
        """Whether everything behind a revision is here."""
        return revision >= self._start

    def after(self, revision: int, most: int) -> list[Entry]:
        """The first entries behind a revision."""
        at = bisect.bisect_right(self._entries, revision, key=_revision)
        return self._entries[at : at + most]

    def add(self, entry: Entry) -> None:
        """One more, behind all others."""
        self._entries.append(entry)

    def reach_back(self, earlier: list[Entry], start: int) -> None:
        """Has what came before as well, and so everything behind a revision."""
        self._entries[:0] = earlier
        self._start = start

    def drop(self, count: int) -> None:
        """The oldest are here no more."""
        self._start = self._entries[count - 1].revision
        del self._entries[:count]


@dataclasses.dataclass(frozen=True, slots=True)
class _Kept:
    """An event, and who has it."""

    entry: Entry
    wanting: list[Selection]


class Selections:
    """All that is wanted of one feed, with room for so many entries in all."""

    def __init__(self, room: int) -> None:
        """Nothing is wanted yet."""
        self._room = room
        self._by_node: dict[str, list[Selection]] = {}  # under "" where any node will do
        self._newest: collections.deque[_Kept] = collections.deque()
        self._wanted = 0  # how many of these somebody has, or had

    def join(self, interest: feed.Interest, head: int, since: int) -> Selection:
        """The selection of somebody who wants this of a feed that is at `head`.

        It has everything behind `since` where that is not too long ago, and all that comes.
        """
        alike = self._by_node.setdefault(interest.filter.node, [])
        found = next((each for each in alike if each.interest == interest), None)
        if found is None:
            found = Selection(interest, head)
            alike.append(found)
        found.followers += 1
        if not found.has(since):
            self._reach_back(found, since)
        return found

    def leave(self, selection: Selection) -> None:
        """One who wanted this wants it no more."""
        selection.followers -= 1
        if selection.followers == 0:
            alike = self._by_node[selection.interest.filter.node]
            alike.remove(selection)
            if not alike:
                del self._by_node[selection.interest.filter.node]

    def add(self, found: Iterable[Entry]) -> None:
        """Adds entries where they are wanted, drops what there is no room for, and wakes."""
        grown: dict[Selection, None] = {}
        for each in found:
            wanting = self._wanting(each.event)
            self._newest.append(_Kept(each, wanting))
            self._wanted += bool(wanting)
            for selection in wanting:
                selection.add(each)
                grown[selection] = None
        self._make_room()
        for selection in grown:
            selection.grown.ring()

    def wake(self) -> None:
        """Wakes everybody: there will be no more."""
        for alike in self._by_node.values():
            for each in alike:
                each.grown.ring()

    def _wanting(self, event: history.Event) -> list[Selection]:
        node = event.allocation.facts.workload.node
        tried = [key for key in dict.fromkeys(("", node)) if key in self._by_node]
        return [each for key in tried for each in self._by_node[key] if each.interest.wants(event)]

    def _reach_back(self, selection: Selection, since: int) -> None:
        # Revisions have no gaps: where the first is not later, all behind it are here.
        first = self._newest[0].entry.revision if self._newest else since + 2
        if first > since + 1:
            return
        earlier = [
            each
            for each in itertools.islice(self._newest, since + 1 - first, None)
            if not selection.has(each.entry.revision - 1)
            and selection.interest.wants(each.entry.event)
        ]
        for each in earlier:
            self._wanted += not each.wanting
            each.wanting.append(selection)
        selection.reach_back([each.entry for each in earlier], since)

    def _make_room(self) -> None:
        # What lies longest is what each selection has first.
        gone: collections.Counter[Selection] = collections.Counter()
        while self._wanted > self._room or len(self._newest) > RECENT:
            oldest = self._newest.popleft()
            self._wanted -= bool(oldest.wanting)
            gone.update(oldest.wanting)
        for selection, count in gone.items():
            selection.drop(count)


def _revision(entry: Entry) -> int:
    return entry.revision
