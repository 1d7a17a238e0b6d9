"""go-ipam's own benchmarks: each of their names, and the same work of ours."""

import contextlib
import dataclasses
import ipaddress
import itertools
from collections.abc import Mapping
from typing import Final

from bench import comparison, figures, goipam, peers, plan, sequences, stage, turns
from bench.crew import Crew
from bench.lab import Lab
from bench.work import Ask, Call, Phase
from moorage.v1 import resources_pb2 as messages

_DATABASE: Final = "goipam_benchmarks"
_POOLS: Final = {
    "addresses": plan.flat("10.0.0.0/16"),
    "blocks-24": messages.Pool(cidr="20.0.0.0/8", block_size=24),
    "blocks-26": messages.Pool(cidr="21.0.0.0/16", block_size=26),
}
_NEW: Final = Ask(ipv4="192.168.0.0/24")
# Made after all others: whoever compares with one after the other comes to it late.
_LAST: Final = "172.16.0.0/24"
_OVERLAPPING: Final = Ask(ipv4="172.16.0.0/25")

_TEXT: Final = """\
The names are those of go-ipam {version}'s benchmarks, without `Benchmark`. It runs them as a
library, GrpcImpact with its store in memory; here its server and ours, each on a database of its
own in the same PostgreSQL, are asked over gRPC by one caller. A time is that of all calls of a row,
one after the other. Who has a block opened is given an address as well; who acquires a child prefix
is not. PrefixOverlapping compares two prefixes with two others and knows no store; here both
servers refuse one prefix beside many. Failed are go-ipam's calls:

"""
_OPENED: Final = (
    "AssignAddresses, which opens a block for a node; ReleaseAddresses; DeleteNode, which closes it"
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A benchmark of go-ipam, and the same work of both."""

    name: str
    asked: str
    ours: Call
    theirs: Call
    our_ask: Ask
    its_ask: Ask


def _children(length: int) -> _Row:
    pool = f"blocks-{length}"
    parent = _POOLS[pool].cidr
    return _Row(
        name=f"AcquireChildPrefix {parent.partition('/')[2]}/{length}",
        asked=_OPENED,
        ours=Call.BLOCK,
        theirs=Call.PEER_CHILD,
        our_ask=Ask(ipv4=pool),
        its_ask=Ask(ipv4=parent, child_length=length),
    )


def _rows(others: int) -> tuple[_Row, ...]:
    return (
        _Row(
            name="NewPrefix",
            asked="CreatePool, DeletePool",
            ours=Call.POOL,
            theirs=Call.PEER_POOL,
            our_ask=_NEW,
            its_ask=_NEW,
        ),
        _Row(
            name="AcquireIP",
            asked="AssignAddresses, ReleaseAddresses",
            ours=Call.ADDRESS,
            theirs=Call.PEER_ADDRESS,
            our_ask=Ask(ipv4="addresses"),
            its_ask=Ask(ipv4=_POOLS["addresses"].cidr),
        ),
        _children(24),
        _children(26),
        _Row(
            name="PrefixOverlapping",
            asked=f"CreatePool, refused, as it overlaps the last of {others:,}",
            ours=Call.OVERLAP,
            theirs=Call.PEER_OVERLAP,
            our_ask=_OVERLAPPING,
            its_ask=_OVERLAPPING,
        ),
    )


_TOO_LARGE: Final = "nothing: a block is a /20 at most"
# Its other names, and why nothing is asked for them.
_WITHOUT: Final[Mapping[str, str]] = {
    "AcquireChildPrefix 8/14": _TOO_LARGE,
    "AcquireChildPrefix 16/18": _TOO_LARGE,
    "GrpcImpact library": "nothing: no library of ours gives addresses, servers do",
    "GrpcImpact grpc": "nothing: our clients and servers do not compress their messages",
    "GrpcImpact grpc-no-compression": "nothing more: it is NewPrefix over gRPC, as above",
    "GrpcImpact http": "nothing: our API is gRPC alone",
    "GrpcImpact http-no-compression": "nothing: our API is gRPC alone",
}


def _fill_peer(target: str, crowd: list[str]) -> None:
    goipam.create(target, [pool.cidr for pool in _POOLS.values()])
    goipam.create(target, crowd, namespace=sequences.CROWDED)


class GoIpamBenchmarks:
    """Every name; go-ipam, where it can be had."""

    title = "go-ipam's own benchmarks"

    def __init__(
        self,
        lab: Lab,
        hired: Crew,
        ground: stage.Ground,
        wanted: plan.Plan,
        until: contextlib.ExitStack,
    ) -> None:
        """No other chapter makes pools in this lab; the peer ends with `until`."""
        self._lab = lab
        self._plan = wanted
        self._rows = _rows(wanted.peer_pools)
        self._comparison = comparison.Comparison[_Row](lab, hired, ground, wanted, until)

    def prepare(self) -> None:
        """Both servers have the same, and a round that does not count."""
        self._lab.create(_POOLS)
        crowd = self._crowd()
        pools = {f"crowd-{at}": plan.flat(cidr) for at, cidr in enumerate(crowd)}
        self._lab.create(pools, vrf=sequences.CROWDED)
        self._comparison.invite(_DATABASE, lambda target: _fill_peer(target, crowd))
        self._all(self._plan.warm_up)
        self._comparison.forget()

    def round(self) -> None:
        """Every name."""
        self._all(self._plan.seconds)

    def section(self) -> str:
        """How many times its rate first; at the end the names that nothing is asked for."""
        heads = ["its benchmark", "asked of us", *comparison.HEADS[:-1]]
        # Nothing can be given twice: there is one caller.
        rows = [[row.name, row.asked, *self._comparison.cells(row)[:-1]] for row in self._rows]
        empty = [""] * (len(comparison.HEADS) - 1)
        rows += [[name, why, *empty] for name, why in _WITHOUT.items()]
        return _TEXT.format(version=peers.GO_IPAM.version) + figures.table(heads, rows)

    def _crowd(self) -> list[str]:
        others = ipaddress.ip_network("10.0.0.0/8").subnets(new_prefix=24)
        return [*map(str, itertools.islice(others, self._plan.peer_pools - 1)), _LAST]

    def _all(self, seconds: float) -> None:
        for row in turns.shuffled(self._rows):
            ours = Phase(call=row.ours, callers=1, seconds=seconds, asks=(row.our_ask,))
            theirs = Phase(call=row.theirs, callers=1, seconds=seconds, asks=(row.its_ask,))
            self._comparison.measure(row, ours, theirs)
