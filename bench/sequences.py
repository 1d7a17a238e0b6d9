"""Sequences of calls, each measured as one: of ours and of go-ipam.

Each leaves everything as it was before.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

import grpc
import grpc.aio

from bench import messages
from bench.work import Ask, Call
from moorage.v1 import resources_pb2 as resources

# Where many pools are, by our word and by go-ipam's: a VRF and a namespace.
CROWDED: Final = "crowded"

_POOL: Final = "new"
_OVERLAPS: Final = "POOL_OVERLAPS"


class NotRefusedError(Exception):
    """What cannot be was granted; the text says what."""


class Caller(Protocol):
    """Who sends what is measured."""

    number: int

    async def call(self, method: str, request: bytes) -> bytes:
        """One call, and its answer."""

    async def commit(self) -> None:
        """One commit."""

    def next_assign(self, ask: Ask, node: str) -> tuple[resources.Attachment, bytes]:
        """A new attachment, and the request for its addresses."""


async def _pool(caller: Caller, ask: Ask) -> None:
    await caller.call("create_pool", messages.create_pool(_POOL, ask.ipv4))
    await caller.call("delete_pool", messages.delete_pool(_POOL))


async def _address(caller: Caller, ask: Ask, node: str = "only") -> None:
    holder, request = caller.next_assign(ask, node)
    await caller.call("assign", request)
    await caller.call("release", messages.release(holder))


async def _block(caller: Caller, ask: Ask) -> None:
    node = f"opener-{caller.number}"
    await _address(caller, ask, node)
    # Nobody has recorded the node: were no block its own, the server would not know of it.
    await caller.call("delete_node", messages.delete_node(node))


async def _overlap(caller: Caller, ask: Ask) -> None:
    try:
        await caller.call("create_pool", messages.create_pool(_POOL, ask.ipv4, CROWDED))
    except grpc.aio.AioRpcError as error:
        if messages.reason(error.trailing_metadata() or ()) != _OVERLAPS:
            raise
    else:
        raise NotRefusedError(f"{ask.ipv4} overlaps a pool and yet became one")


async def _peer_pool(caller: Caller, ask: Ask) -> None:
    request = messages.peer_prefix(ask.ipv4)
    await caller.call("peer_create", request)
    await caller.call("peer_delete", request)


async def _peer_address(caller: Caller, ask: Ask) -> None:
    answer = await caller.call("peer_acquire", messages.peer_acquire(ask.ipv4))
    await caller.call("peer_release", messages.peer_release(ask.ipv4, answer))


async def _peer_child(caller: Caller, ask: Ask) -> None:
    request = messages.peer_child(ask.ipv4, ask.child_length)
    child = messages.peer_given(await caller.call("peer_acquire_child", request))
    await caller.call("peer_release_child", messages.peer_prefix(child))


async def _peer_overlap(caller: Caller, ask: Ask) -> None:
    try:
        await caller.call("peer_create", messages.peer_prefix(ask.ipv4, CROWDED))
    except grpc.aio.AioRpcError as error:
        # It has no more than the text to say it with.
        if " overlaps " not in (error.details() or ""):
            raise
    else:
        raise NotRefusedError(f"{ask.ipv4} overlaps a prefix and yet became one")


SEQUENCES: Final[Mapping[Call, Callable[[Caller, Ask], Awaitable[None]]]] = {
    Call.POOL: _pool,
    Call.ADDRESS: _address,
    Call.BLOCK: _block,
    Call.OVERLAP: _overlap,
    Call.PEER_POOL: _peer_pool,
    Call.PEER_ADDRESS: _peer_address,
    Call.PEER_CHILD: _peer_child,
    Call.PEER_OVERLAP: _peer_overlap,
}
