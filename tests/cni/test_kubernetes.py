"""Annotations and labels from a Kubernetes API: which are read, and what its failures become."""

import gc
import socket
import struct
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from cni import program
from harness.kube import api_server
from moorage.cni import (
    errors,
    host,
    invocation,
    kubeconfig,
    kubernetes,
    netconf,
    settings,
    subject,
)
from moorage.cni.deadline import Deadline

POOLS = "cni.projectcalico.org/ipv4pools"
ENVIRONMENT = {"CNI_ARGS": program.POD_ARGS}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[api_server.ApiServer]:
    """An API server with one namespace and one pod, whose annotations both are mistaken."""
    with api_server.serve(tmp_path) as server:
        server.add("Namespace", "shop", annotations={POOLS: "of namespace"}, labels={"tier": "1"})
        server.add("Pod", "shop/web-0", annotations={POOLS: "of pod"})
        yield server


def add(section: object, rest: dict[str, object] | None = None, seconds: float = 5) -> str:
    """Calls ADD and returns what a runtime would show; the annotations let no ADD succeed."""
    ipam = {"kubernetes": section, "timeout_seconds": seconds}
    outcome = program.run("ADD", program.config(ipam=ipam, rest=rest), environment=ENVIRONMENT)
    assert outcome.stderr == b""
    return f"{outcome.error['code']} {outcome.text}"


def described(section: object, cni_args: str = program.POD_ARGS) -> subject.Subject:
    """Reads in this process what the program reads in its own."""
    document = netconf.NetConf(
        cni_version="1.0.0",
        name="pods",
        server="",
        vrf="",
        timeout_seconds=5,
        document={"ipam": {"kubernetes": section}},
    )
    environment = {"CNI_COMMAND": "DEL", "CNI_CONTAINERID": "c", "CNI_IFNAME": "eth0"}
    call = invocation.parse(environment | {"CNI_ARGS": cni_args}, began=1)
    cluster = settings.parse(document).cluster
    return subject.describe(document, call, cluster, host.Direct(), Deadline.after(5))


def test_the_pods_annotations_are_read_from_the_api(api: api_server.ApiServer) -> None:
    assert "of pod shop/web-0 with value 'of pod'" in add(api.settings)


def test_the_namespaces_annotations_are_read_from_the_api(api: api_server.ApiServer) -> None:
    api.add("Pod", "shop/web-0", annotations=None)
    assert "of namespace shop with value 'of namespace'" in add(api.settings)


@pytest.mark.parametrize("passed", [{}, {POOLS: "from the runtime"}])
def test_the_pod_is_not_asked_for_when_the_runtime_passed_its_annotations(
    passed: dict[str, str], api: api_server.ApiServer
) -> None:
    runtime: dict[str, object] = {"runtimeConfig": {"io.kubernetes.cri.pod-annotations": passed}}
    said = add(api.settings, runtime)
    assert ("from the runtime" in said) == bool(passed)
    assert api.requests == ["/api/v1/namespaces/shop"]


def test_labels_of_the_namespace_are_read_and_only_metadata_asked_for(
    api: api_server.ApiServer,
) -> None:
    assert described(api.settings).namespace_labels == {"tier": "1"}
    assert all("as=PartialObjectMetadata" in accepted for accepted in api.accepted)


@pytest.mark.parametrize("cni_args", ["", "K8S_POD_NAME=web-0"])
def test_without_a_namespace_nothing_is_asked(cni_args: str, api: api_server.ApiServer) -> None:
    found = described(api.settings, cni_args)
    assert (found.pod.annotations, found.namespace_labels, api.requests) == ({}, {}, [])


def test_release_asks_nothing(api: api_server.ApiServer) -> None:
    ipam = {"kubernetes": api.settings, "timeout_seconds": 0.2}
    outcome = program.run("DEL", program.config(ipam=ipam), environment=ENVIRONMENT)
    assert outcome.error["code"] == 11
    assert api.requests == []


def test_a_client_certificate_serves_as_well_as_a_token(api: api_server.ApiServer) -> None:
    files = {
        "client_certificate": str(api.directory / "client.pem"),
        "client_key": str(api.directory / "client.key"),
    }
    without_token = {k: v for k, v in api.settings.items() if k != "token_file"}
    assert "'of pod'" in add(without_token | files)


def test_an_api_root_may_have_a_path(api: api_server.ApiServer) -> None:
    api.prefix = "/clusters/a"
    assert "'of pod'" in add(api.settings | {"api_root": f"{api.root}/clusters/a/"})


def test_a_pod_of_that_name_but_another_uid_is_not_this_one(api: api_server.ApiServer) -> None:
    api.add("Pod", "shop/web-0", uid="u-2")
    said = add(api.settings)
    assert said.startswith("11 pod shop/web-0 has uid 'u-2'")


def test_a_static_pod_is_known_to_the_api_by_its_mirror(api: api_server.ApiServer) -> None:
    mirror = {POOLS: "of mirror", "kubernetes.io/config.mirror": "hash"}
    api.add("Pod", "shop/web-0", uid="u-2", annotations=mirror)
    assert "'of mirror'" in add(api.settings)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"token_file": "other-token"}, "101 cannot read pod shop/web-0"),
        ({"ca_file": "other-ca.pem"}, "TLS: unable to get local issuer certificate"),
        ({"ca_file": "token"}, "7 the CA, client certificate or client key"),
        ({"ca_file": "absent"}, '7 key "kubernetes.ca_file" of the CNI config'),
        ({"token_file": "ca.pem"}, '7 key "kubernetes.token_file" of the CNI config'),
        (
            {"client_certificate": "stranger.pem", "client_key": "client.key"},
            "7 the CA, client certificate or client key",
        ),
    ],
)
def test_bad_credentials_are_refused_and_not_tried_again(
    changes: dict[str, str], said: str, api: api_server.ApiServer
) -> None:
    files = {key: str(api.directory / name) for key, name in changes.items()}
    assert said in add(api.settings | files)


def test_a_certificate_for_another_name_is_refused(api: api_server.ApiServer) -> None:
    said = add(api.settings | {"api_root": f"https://localhost:{api.port}"})
    assert said.startswith("101 ")
    assert "TLS: Hostname mismatch" in said


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (301, 101),
        (400, 101),
        (401, 101),
        (403, 101),
        (404, 101),
        (408, 11),
        (409, 11),
        (429, 11),
        (500, 11),
        (502, 11),
        (503, 11),
        (504, 11),
    ],
)
def test_a_status_is_named_and_those_worth_it_are_tried_again(
    status: int, code: int, api: api_server.ApiServer
) -> None:
    api.misbehave = lambda handler: handler.answer(status, b'{"message":"not found"}')
    said = add(api.settings)
    assert said.startswith(f"{code} cannot read pod shop/web-0 from the Kubernetes API at ")
    assert f"127.0.0.1:{api.port}: HTTP status {status};" in said
    assert "not found" not in said


def test_an_unknown_pod_is_refused(api: api_server.ApiServer) -> None:
    api.objects.clear()
    assert "HTTP status 404" in add(api.settings)


def test_a_server_that_resets_before_the_handshake_leaves_no_open_socket(
    monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    warnings.simplefilter("always")
    with socket.create_server(("127.0.0.1", 0)) as server:
        connect = socket.create_connection

        def connect_and_be_reset(_: object, timeout: float) -> socket.socket:
            plain = connect(server.getsockname(), timeout)
            with server.accept()[0] as accepted:
                accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return plain

        monkeypatch.setattr(socket, "create_connection", connect_and_be_reset)
        with pytest.raises(ConnectionError):
            kubernetes.connect(kubeconfig.Access(host="k", port=1, path=""), lambda: 5.0)
    gc.collect()
    assert not recwarn.list


def test_a_server_that_is_not_there_is_tried_again(tmp_path: Path) -> None:
    with api_server.serve(tmp_path) as api:
        section = api.settings
    assert add(section).startswith("11 cannot read pod shop/web-0")


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"metadata":[]}', b"[" * 100_000, b"\xff"]
)
def test_an_answer_that_is_no_object_is_refused(body: bytes, api: api_server.ApiServer) -> None:
    api.misbehave = lambda handler: handler.answer(200, body)
    assert "101 cannot read pod shop/web-0" in add(api.settings)


@pytest.mark.parametrize("field", ["annotations", "labels"])
@pytest.mark.parametrize("value", [["a"], "a", {"a": 1}])
def test_annotations_and_labels_must_be_texts(
    field: str, value: object, api: api_server.ApiServer
) -> None:
    api.add("Pod", "shop/web-0", **{field: value})
    assert add(api.settings).startswith("101 ")


def test_a_truncated_answer_is_tried_again(api: api_server.ApiServer) -> None:
    def truncate(handler: api_server.Handler) -> None:
        handler.answer(200, b'{"metadata":{}}', length=1000)
        handler.close_connection = True

    api.misbehave = truncate
    assert add(api.settings).startswith("11 cannot read pod shop/web-0")


def test_an_answer_of_a_megabyte_is_read(api: api_server.ApiServer) -> None:
    big = {"kubectl.kubernetes.io/last-applied-configuration": "x" * (1 << 20)}
    api.add("Pod", "shop/web-0", annotations=big | {POOLS: "of a big pod"})
    assert "'of a big pod'" in add(api.settings)


def test_an_answer_without_end_is_not_read_to_it(api: api_server.ApiServer) -> None:
    api.misbehave = lambda handler: handler.answer(200, b" " * (5 << 20))
    assert add(api.settings).startswith("11 cannot read pod shop/web-0")


def test_a_silent_server_is_waited_for_no_longer_than_the_timeout(
    api: api_server.ApiServer,
) -> None:
    api.misbehave = lambda _: _wait(api.stopping)
    began = time.monotonic()
    assert add(api.settings, seconds=0.5).startswith("11 ")
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("beginning", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n{"])
def test_a_dripping_server_is_waited_for_no_longer_than_the_timeout(
    beginning: bytes, api: api_server.ApiServer
) -> None:
    def drip(handler: api_server.Handler) -> None:
        handler.wfile.write(beginning)
        while not api.stopping.wait(0.05):
            handler.wfile.write(b" ")

    api.misbehave = drip
    began = time.monotonic()
    assert add(api.settings, seconds=0.5).startswith("11 ")
    assert time.monotonic() - began < 10


def _wait(stopping: threading.Event) -> None:
    stopping.wait(60)


@pytest.mark.parametrize("pod", ["..", "a/b", "a?b", "A", "-a", "a..b", "a%2e"])
def test_a_name_that_would_lead_elsewhere_is_refused(pod: str, api: api_server.ApiServer) -> None:
    for cni_args in (f"K8S_POD_NAMESPACE=shop;K8S_POD_NAME={pod}", f"K8S_POD_NAMESPACE={pod}"):
        with pytest.raises(errors.CniError) as refused:
            described(api.settings, cni_args)
        assert refused.value.code == errors.Code.INVALID_ENVIRONMENT
    assert api.requests == []
