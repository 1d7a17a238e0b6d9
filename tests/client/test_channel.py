"""How a connection is opened: its target, and what of the environment it heeds."""

import pathlib

import grpc
import pytest

import moorage
from client import peer as peers
from moorage import targets
from moorage.v1 import pool_service_pb2, resources_pb2

POOL = peers.answer(pool_service_pb2.GetPoolResponse(pool=resources_pb2.Pool(uid="u1")))


@pytest.mark.parametrize(
    ("target", "uri"),
    [
        ("127.0.0.1:7711", "dns:///127.0.0.1:7711"),
        ("127.0.0.1", "dns:///127.0.0.1:7711"),
        ("ipam.example:443", "dns:///ipam.example:443"),
        ("ipam.example", "dns:///ipam.example:7711"),
        ("::1", "dns:///[::1]:7711"),
        ("[::1]", "dns:///[::1]:7711"),
        ("[::1]:80", "dns:///[::1]:80"),
        ("unix:/run/moorage/server.sock", "unix:/run/moorage/server.sock"),
        ("ipv4:10.0.0.1:7711,10.0.0.2:7711", "ipv4:10.0.0.1:7711,10.0.0.2:7711"),
        ("dns://resolver/ipam.example:7711", "dns://resolver/ipam.example:7711"),
    ],
)
def test_a_target_may_leave_out_scheme_and_port(target: str, uri: str) -> None:
    assert targets.uri(target) == uri


@pytest.mark.parametrize(
    "target",
    ["", " ", "two words", "127.0.0.1:0", "127.0.0.1:99999", "host:", "host:port", "[::1", "a:1:2",
     "http://host:7711", "host\n", "x" * 200 + " "],
)  # fmt: skip
def test_what_is_no_server_is_refused(target: str) -> None:
    with pytest.raises(ValueError, match=r"is not a server; write host:port, or unix:///path"):
        moorage.Client(target)


def test_a_host_name_is_resolved(peer: peers.Peer) -> None:
    peer.will(POOL)
    with moorage.Client(peer.target.replace("127.0.0.1", "localhost")) as client:
        assert client.get_pool("web").uid == "u1"


def test_a_unix_socket_can_be_the_target(tmp_path: pathlib.Path) -> None:
    with peers.serve(f"unix:{tmp_path}/s") as peer:
        peer.will(POOL)
        with moorage.Client(peer.target) as client:
            assert client.get_pool("web").uid == "u1"


def test_a_proxy_of_the_environment_is_passed_over(
    peer: peers.Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    for variable in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:1")
    peer.will(POOL)
    with moorage.Client(peer.target.replace("127.0.0.1", "localhost")) as client:
        assert client.get_pool("web", timeout=3).uid == "u1"


def test_a_channel_that_is_given_is_used_and_stays_open(peer: peers.Peer) -> None:
    peer.will(POOL, POOL)
    with grpc.insecure_channel(peer.target) as given:
        with moorage.Client("nowhere.invalid", channel=given) as client:
            assert client.get_pool("web").uid == "u1"
        assert client.get_pool("web").uid == "u1"


def test_a_channel_of_its_own_is_closed(peer: peers.Peer) -> None:
    client = moorage.Client(peer.target)
    client.close()
    client.close()
    with pytest.raises(ValueError, match="closed channel"):
        client.get_pool("web")


def test_a_full_page_of_allocations_fits_into_a_message(peer: peers.Peer) -> None:
    widest = resources_pb2.Pool(node_selector="x" * 3_900_000)
    peer.will(peers.answer(pool_service_pb2.GetPoolResponse(pool=widest)))
    with moorage.Client(peer.target) as client:
        assert client.get_pool("web") == widest


def test_a_request_beyond_the_limit_of_the_server_is_not_sent(peer: peers.Peer) -> None:
    with moorage.Client(peer.target) as client, pytest.raises(moorage.ServerFault):
        client.create_pool("web", resources_pb2.Pool(node_selector="x" * 1_100_000))
    assert peer.calls == []
