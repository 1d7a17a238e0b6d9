"""moorctl watch, as a person or a script sees it."""

import json
import subprocess

import grpc

import moorage
from client import peer as peers
from ctl import program
from harness.calls import assign, create_pool, release
from moorage.v1 import history_pb2, resources_pb2

CURSOR = history_pb2.Cursor(epoch="e", revision=7)
HELD = resources_pb2.Allocation(
    address="10.0.0.7",
    pool="vrfs/default/pools/a",
    attachment=resources_pb2.Attachment(container_id="c1"),
    workload=resources_pb2.Workload(namespace="shop", pod="cart-0", node="n1"),
)
GONE = history_pb2.AllocationEvent(
    revision=8, kind=history_pb2.ALLOCATION_EVENT_KIND_RELEASED, allocation=HELD
)
LOST = peers.refuse(grpc.StatusCode.OUT_OF_RANGE, "CURSOR_EXPIRED", revision="7")


def test_every_allocation_and_every_change_has_a_line(
    peer: peers.Peer, scripted: program.Moorctl
) -> None:
    peer.will(
        peers.answer(history_pb2.WatchAllocationsResponse(held=[HELD], cursor=CURSOR)),
        peers.answer(history_pb2.WatchAllocationsResponse(events=[GONE], cursor=CURSOR)),
        LOST,
    )
    ended = scripted("watch", "--namespace", "shop", "--node", "n1", "-l", "app=cart")
    held, gone = ended.out.splitlines()
    assert held.split()[1:] == ["HELD", "10.0.0.7", "shop/cart-0", "n1", "-", "a", "c1"]
    assert gone.split()[1:3] == ["RELEASED", "10.0.0.7"]
    assert (ended.code, "cannot watch allocations" in ended.err) == (3, True)
    sent = history_pb2.WatchAllocationsRequest.FromString(peer.calls[0].request)
    assert (sent.parent, sent.filter.workload.namespace) == ("vrfs/default", "shop")
    assert dict(sent.filter.labels) == {"app": "cart"}


def test_json_has_a_message_on_each_line_and_the_cursor_to_come_back_with(
    peer: peers.Peer, scripted: program.Moorctl
) -> None:
    peer.will(
        peers.answer(history_pb2.WatchAllocationsResponse(events=[GONE], cursor=CURSOR)), LOST
    )
    ended = scripted("watch", "-o", "json", "--cursor", "e/6")
    (message,) = map(json.loads, ended.out.splitlines())
    assert message["cursor"] == {"epoch": "e", "revision": "7"}
    assert message["events"][0]["allocation"]["address"] == "10.0.0.7"
    assert ended.error()["reason"] == "CURSOR_EXPIRED"
    sent = history_pb2.WatchAllocationsRequest.FromString(peer.calls[0].request)
    assert sent.cursor == history_pb2.Cursor(epoch="e", revision=6)


def test_a_cursor_that_is_none_is_refused(offline: program.Moorctl) -> None:
    for text in ("e", "e/", "/5", "e/-1"):
        ended = offline("watch", "--cursor", text)
        assert (ended.code, "is not EPOCH/REVISION" in ended.err) == (2, True)


def test_nobody_there_is_told_in_time(offline: program.Moorctl) -> None:
    assert offline("watch").code == 7


def test_lines_come_while_things_happen(client: moorage.Client, moorctl: program.Moorctl) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    assign(client, "c1")
    command = [str(program.PROGRAM), "watch"]
    with subprocess.Popen(
        command, env=moorctl.environment(), stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        first = running.stdout.readline()
        release(client, "c1")
        lines = [first, running.stdout.readline()]
        running.terminate()
    kinds = [line.split()[1] for line in lines]
    assert kinds in (["HELD", "RELEASED"], ["ASSIGNED", "RELEASED"])
