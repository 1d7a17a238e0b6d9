"""moorctl ipam split: a pool becomes several, or stays as it was."""

import signal
import subprocess
import threading

import grpc
import pytest

import moorage
from client import peer as peers
from ctl import holdings, program
from moorage.v1 import pool_service_pb2, resources_pb2

SPLIT = ("ipam", "split")


@pytest.fixture
def web(client: moorage.Client) -> moorage.Client:
    """One pool that says something about most things."""
    client.create_pool(
        "web",
        resources_pb2.Pool(
            cidr="10.0.1.0/24",
            node_selector='zone == "east"',
            gateway="10.0.1.1",
            excluded_ranges=["10.0.1.250-10.0.1.254"],
            priority=7,
            labels={"tier": "front"},
        ),
    )
    return client


def cidrs(client: moorage.Client) -> dict[str, str]:
    """The range of each pool."""
    return {pool.name.rpartition("/")[2]: pool.cidr for pool in client.pools()}


QUARTERS = {
    "split-web-0": "10.0.1.0/26",
    "split-web-1": "10.0.1.64/26",
    "split-web-2": "10.0.1.128/26",
    "split-web-3": "10.0.1.192/26",
}


@pytest.mark.parametrize("named", [("--name", "web"), ("--cidr", "10.0.1.0/24")])
def test_a_pool_is_replaced_by_its_children(
    moorctl: program.Moorctl, web: moorage.Client, named: tuple[str, str]
) -> None:
    assert moorctl.must(*SPLIT, "4", *named).splitlines() == [
        "Drained web.",
        "Deleted web.",
        *(f"Created {child} with CIDR {cidr}." for child, cidr in QUARTERS.items()),
        "IP Pool web was successfully split into 4 smaller pools.",
    ]
    assert cidrs(web) == QUARTERS


def test_the_children_are_stored_with_the_fields_of_the_pool(
    moorctl: program.Moorctl, web: moorage.Client
) -> None:
    assert moorctl(*SPLIT, "2", "--name", "web", "-o", "json").json() == {
        "split": "vrfs/default/pools/web",
        "created": [
            {"name": "vrfs/default/pools/split-web-0", "cidr": "10.0.1.0/25", "blockSize": 26},
            {"name": "vrfs/default/pools/split-web-1", "cidr": "10.0.1.128/25", "blockSize": 26},
        ],
    }
    first, second = web.pools()
    for child in (first, second):
        assert child.node_selector == 'zone == "east"'
        assert (child.priority, dict(child.labels)) == (7, {"tier": "front"})
        assert child.state == resources_pb2.POOL_STATE_ACTIVE
    assert (first.gateway, list(first.excluded_ranges)) == ("10.0.1.1", [])
    assert (second.gateway, list(second.excluded_ranges)) == ("", ["10.0.1.250-10.0.1.254"])


def test_a_block_size_that_is_too_large_for_the_children_is_told(
    moorctl: program.Moorctl, web: moorage.Client
) -> None:
    first = moorctl.must(*SPLIT, "8", "--name", "web").splitlines()[0]
    assert first == (
        "The new pools get blocks of /27: those of web, of /26, are larger than a new pool."
    )
    assert {pool.block_size for pool in web.pools()} == {27}


def test_a_pool_in_use_stays_and_is_not_even_drained(
    moorctl: program.Moorctl, web: moorage.Client
) -> None:
    holdings.assign(web, "10.0.1.5")
    before = web.get_pool("web")
    ended = moorctl(*SPLIT, "2", "--name", "web")
    assert (ended.code, ended.out) == (4, "")
    assert ended.err.splitlines() == [
        "moorctl: pool web is in use: 1 address of it is assigned; nothing was changed",
        "  POOL_IN_USE: assigned=1, pool=web",
        "  next: drain it, release them, then split it; to see them: "
        "moorctl get allocations --pool web",
    ]
    assert web.get_pool("web") == before


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("3", "--name", "web"), 2, "number to split CIDR into is not a valid power of 2: 3"),
        (("512", "--name", "web"), 2, "the CIDR 10.0.1.0/24 is not large enough to be split into"),
        (("2", "--name", "none"), 3, "POOL_NOT_FOUND"),
        (("2", "--cidr", "10.0.2.0/24"), 3, "no IP pool has the CIDR 10.0.2.0/24"),
        (("2",), 2, "give either --cidr or --name"),
        (("2", "--cidr", "10.0.1.1/24"), 2, "has host bits set"),
        (("2", "--cidr", "10.0.1.0/255.255.255.0"), 2, "needs a plain prefix length"),
        (("2", "--cidr", "10.0.1.0"), 2, "needs a plain prefix length"),
    ],
)
def test_what_cannot_be_split_is_refused(
    moorctl: program.Moorctl,
    web: moorage.Client,
    arguments: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    ended = moorctl(*SPLIT, *arguments)
    assert (ended.code, ended.out) == (code, "")
    assert said in ended.err
    assert cidrs(web) == {"web": "10.0.1.0/24"}


@pytest.mark.parametrize("draining", [False, True])
def test_a_child_that_cannot_be_created_leaves_the_pool_as_it_was(
    moorctl: program.Moorctl, web: moorage.Client, draining: bool
) -> None:
    web.create_pool("split-web-2", resources_pb2.Pool(cidr="10.0.9.0/24"))
    if draining:
        web.drain_pool("web")
    before = web.get_pool("web")
    ended = moorctl(*SPLIT, "4", "--name", "web")
    assert ended.code == 4
    assert ended.err.startswith("moorctl: cannot split pool web, which was put back as it was: ")
    assert "POOL_ALREADY_EXISTS" in ended.err
    assert cidrs(web) == {"split-web-2": "10.0.9.0/24", "web": "10.0.1.0/24"}
    after = web.get_pool("web")
    for field in ("uid", "etag", "create_time", "update_time"):
        before.ClearField(field)
        after.ClearField(field)
    assert after == before


def test_a_pool_that_came_into_use_meanwhile_is_active_again(
    peer: peers.Peer, scripted: program.Moorctl
) -> None:
    pool = resources_pb2.Pool(
        name="vrfs/default/pools/web",
        cidr="10.0.1.0/24",
        block_size=26,
        etag="e1",
        state=resources_pb2.POOL_STATE_ACTIVE,
    )
    drained = resources_pb2.Pool(name=pool.name, cidr=pool.cidr, block_size=26, etag="e2")
    peer.will(
        peers.answer(pool_service_pb2.GetPoolResponse(pool=pool)),
        peers.answer(pool_service_pb2.GetPoolUsageResponse()),
        peers.answer(pool_service_pb2.DrainPoolResponse(pool=drained)),
        peers.refuse(grpc.StatusCode.FAILED_PRECONDITION, "POOL_IN_USE"),
        peers.answer(pool_service_pb2.ListPoolsResponse(pools=[drained])),
        peers.answer(pool_service_pb2.ActivatePoolResponse(pool=pool)),
    )
    ended = scripted(*SPLIT, "2", "--name", "web")
    assert (ended.code, ended.out) == (4, "Drained web.\n")
    assert "cannot split pool web, which was put back as it was: " in ended.err
    assert [call.method.rpartition("/")[2] for call in peer.calls] == [
        *("GetPool", "GetPoolUsage", "DrainPool", "DeletePool", "ListPools", "ActivatePool")
    ]
    deletion = pool_service_pb2.DeletePoolRequest.FromString(peer.calls[3].request)
    assert deletion.etag == "e2"


def test_a_pool_that_somebody_has_changed_meanwhile_is_left_alone(
    peer: peers.Peer, scripted: program.Moorctl
) -> None:
    pool = resources_pb2.Pool(
        name="vrfs/default/pools/web", cidr="10.0.1.0/24", block_size=26, etag="e1"
    )
    peer.will(
        peers.answer(pool_service_pb2.GetPoolResponse(pool=pool)),
        peers.answer(pool_service_pb2.GetPoolUsageResponse()),
        peers.refuse(grpc.StatusCode.ABORTED, "ETAG_MISMATCH"),
    )
    ended = scripted(*SPLIT, "2", "--name", "web")
    assert (ended.code, ended.out) == (4, "")
    assert ended.err.startswith("moorctl: cannot drain pool web: ")
    assert [call.method.rpartition("/")[2] for call in peer.calls] == [
        *("GetPool", "GetPoolUsage", "DrainPool")
    ]


def test_a_pool_that_cannot_be_put_back_is_written_down(
    peer: peers.Peer, scripted: program.Moorctl
) -> None:
    pool = resources_pb2.Pool(
        name="vrfs/default/pools/web", cidr="10.0.1.0/24", labels={"tier": "front"}
    )
    peer.will(
        peers.answer(pool_service_pb2.GetPoolResponse(pool=pool)),
        peers.answer(pool_service_pb2.GetPoolUsageResponse()),
        peers.answer(pool_service_pb2.DrainPoolResponse(pool=pool)),
        peers.answer(pool_service_pb2.DeletePoolResponse()),
        peers.refuse(grpc.StatusCode.INTERNAL, "INTERNAL"),
        peers.refuse(grpc.StatusCode.INTERNAL, "INTERNAL"),
    )
    ended = scripted(*SPLIT, "2", "--name", "web")
    assert ended.code == 8
    assert "which could not be put back (said INTERNAL) and has to be" in ended.err
    assert '"spec": {"cidr": "10.0.1.0/24"}' in ended.err


def test_a_split_that_is_interrupted_is_undone(peer: peers.Peer, scripted: program.Moorctl) -> None:
    pool = resources_pb2.Pool(name="vrfs/default/pools/web", cidr="10.0.1.0/24", block_size=26)
    called = threading.Event()

    def hang(context: grpc.ServicerContext) -> bytes:
        called.set()
        return peer.hang()(context)

    peer.will(
        peers.answer(pool_service_pb2.GetPoolResponse(pool=pool)),
        peers.answer(pool_service_pb2.GetPoolUsageResponse()),
        peers.answer(pool_service_pb2.DrainPoolResponse(pool=pool)),
        hang,
        peers.answer(pool_service_pb2.ListPoolsResponse()),
        peers.answer(pool_service_pb2.CreatePoolResponse(pool=pool)),
    )
    process = subprocess.Popen(
        [program.PROGRAM, *SPLIT, "2", "--name", "web"],
        env=scripted.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert called.wait(30)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "Drained web.\n")
    assert err.strip() == "pool web was put back as it was"
    assert peer.calls[-1].method == "/moorage.v1.PoolService/CreatePool"
