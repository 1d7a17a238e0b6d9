"""Pairs in which a new sandbox of a pod takes over from the old one, c1."""

from interleavings import actors, lists
from interleavings.pairing import ONE_BLOCK, TWO_BLOCKS, pair

_OLD = actors.assign("c1", pod="p", stamp=10)
_NEW = actors.assign("c2", pod="p", stamp=20)
_NEWEST = actors.assign("c3", pod="p", stamp=30)
_HELD = (TWO_BLOCKS, _OLD)
_HERE, _THERE = "10.0.0.0", "10.0.0.1"
_LEAK = lists.Leak(stamp=15)

PAIRS = (
    pair("takeover / release of the old sandbox", _HELD, _NEW, actors.release("c1", stamp=15)),
    pair(
        "takeover / assign again of the old sandbox",
        _HELD,
        _NEW,
        actors.assign("c1", pod="p", stamp=15),
    ),
    pair(
        "takeover / assign again of the old sandbox, in batches",
        _HELD,
        actors.assign("c2", pod="p", stamp=20, batched=True),
        actors.assign("c1", pod="p", stamp=15, batched=True),
        switches=1,
    ),
    pair(
        "takeover / assign of another pod for the last free address",
        (ONE_BLOCK, _OLD),
        _NEW,
        actors.assign("c3", pod="q", stamp=20),
        switches=1,
    ),
    pair(
        "takeover that moves / assign of another pod for the last free address",
        (ONE_BLOCK, actors.assign("c1", _HERE, pod="p", stamp=10)),
        actors.assign("c2", _THERE, pod="p", stamp=20),
        actors.assign("c3", pod="q", stamp=20),
        _HERE,
        _THERE,
    ),
    pair("takeover / takeover by a newer sandbox", _HELD, _NEW, _NEWEST),
    pair("takeover / drain", _HELD, _NEW, actors.drain("a")),
    pair("takeover / disabling", _HELD, _NEW, actors.update("a", disabled=True)),
    pair(
        "takeover / list that lacks both, made before it",
        _HELD,
        _NEW,
        lists.Listing(stamp=15, overlooks=True),
    ),
    pair(
        "takeover / list that lacks both, made after it",
        _HELD,
        _NEW,
        lists.Listing(stamp=25, overlooks=True),
    ),
    pair(
        "takeover / release of the old sandbox as a leak",
        (*_HELD, _LEAK.learn),
        _NEW,
        _LEAK.release(),
    ),
)
