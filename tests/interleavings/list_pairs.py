"""Pairs in which the list of a node lacks c1, or what it condemned is released."""

from interleavings import actors, lists
from interleavings.pairing import TWO_BLOCKS, pair

_HELD = (TWO_BLOCKS, actors.assign("c1", stamp=10))
_LISTING = lists.Listing(stamp=20)
_LEAK = lists.Leak(stamp=20)
_LEAKED = (*_HELD, _LEAK.learn)

PAIRS = (
    pair(
        "list that lacks it / assign again that began earlier",
        _HELD,
        _LISTING,
        actors.assign("c1", stamp=15),
    ),
    pair(
        "list that lacks it / assign again that began later",
        _HELD,
        _LISTING,
        actors.assign("c1", stamp=25),
    ),
    pair("list that lacks it / release", _HELD, _LISTING, actors.release("c1", stamp=25)),
    pair("list that lacks it / list that lacks it", _HELD, _LISTING, lists.Listing(stamp=25)),
    pair(
        "list that has it / release as a leak",
        _LEAKED,
        lists.Listing(stamp=25, has=True),
        _LEAK.release(),
    ),
    pair(
        "release as a leak / assign again that began earlier",
        _LEAKED,
        _LEAK.release(),
        actors.assign("c1", stamp=15),
    ),
    pair(
        "release as a leak / assign again that began later",
        _LEAKED,
        _LEAK.release(),
        actors.assign("c1", stamp=25),
    ),
    pair(
        "release as a leak / assign again, in batches",
        _LEAKED,
        _LEAK.release(batched=True),
        actors.assign("c1", stamp=15, batched=True),
        switches=1,
    ),
    pair("release as a leak / release", _LEAKED, _LEAK.release(), actors.release("c1", stamp=25)),
    pair("release as a leak / drain", _LEAKED, _LEAK.release(), actors.drain("a")),
)
