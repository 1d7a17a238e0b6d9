"""Who the controller is to the Kubernetes API, and where that is."""

import json
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.kube import api_server, certificates
from moorage import kube as api
from moorage.controller import credentials, nodes


@pytest.fixture
def kube(tmp_path: Path) -> Iterator[api_server.ApiServer]:
    """An API server with one node."""
    with api_server.serve(tmp_path) as server:
        server.add_node("n1")
        yield server


@pytest.fixture
def account(kube: api_server.ApiServer, tmp_path: Path) -> Path:
    """What is mounted into a pod for its service account."""
    folder = tmp_path / "serviceaccount"
    folder.mkdir()
    for theirs, ours in (("ca.crt", "ca.pem"), ("token", "token")):
        (folder / theirs).write_bytes((kube.directory / ours).read_bytes())
    (folder / "namespace").write_text("moorage\n")
    return folder


def test_a_pod_is_known_by_its_service_account(kube: api_server.ApiServer, account: Path) -> None:
    environment = {
        "KUBERNETES_SERVICE_HOST": "127.0.0.1",
        "KUBERNETES_SERVICE_PORT": str(kube.port),
    }
    found, _ = nodes.complete(api.Api(credentials.of_pod(environment, account)))
    assert set(found) == {"n1"}
    assert credentials.namespace_of_pod(account) == "moorage"


def test_the_address_of_the_api_may_be_of_the_sixth_version(account: Path) -> None:
    access = credentials.of_pod({"KUBERNETES_SERVICE_HOST": "fd00::1"}, account)()
    assert (access.host, access.port) == ("fd00::1", 443)


def test_outside_of_a_pod_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(credentials.NoCluster, match="--kubeconfig"):
        credentials.of_pod({}, tmp_path)
    assert credentials.namespace_of_pod(tmp_path) == ""


@pytest.mark.parametrize("user", [{"tokenFile": "other-token"}, {"token": "other"}, {}])
def test_whoever_is_not_known_is_refused(kube: api_server.ApiServer, user: dict[str, str]) -> None:
    file = kube.kubeconfig
    document = json.loads(file.read_text())
    document["users"][0]["user"] = user
    file.write_text(json.dumps(document))
    with pytest.raises(api.ApiError, match="HTTP status 401 Unauthorized") as refusal:
        nodes.complete(api.Api(credentials.of_kubeconfig(str(file))))
    assert refusal.value.status == 401


def test_credentials_that_cannot_be_read_fail_a_request_and_not_the_program(
    kube: api_server.ApiServer,
) -> None:
    cluster = api.Api(credentials.of_kubeconfig(str(kube.kubeconfig)))
    token = kube.directory / "token"
    right = token.read_text()
    token.unlink()
    with pytest.raises(api.ApiError, match="cannot be read"):
        nodes.complete(cluster)
    token.write_text(right)
    assert nodes.complete(cluster)[0]


def test_no_request_shows_the_token_where_it_fails(kube: api_server.ApiServer) -> None:
    kube.tokens = set()
    cluster = api.Api(credentials.of_kubeconfig(str(kube.kubeconfig)))
    with pytest.raises(api.ApiError) as refusal:
        nodes.complete(cluster)
    assert certificates.TOKEN not in str(refusal.value)


def test_no_request_reads_every_ca_that_the_system_trusts(
    kube: api_server.ApiServer, account: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {
        "KUBERNETES_SERVICE_HOST": "127.0.0.1",
        "KUBERNETES_SERVICE_PORT": str(kube.port),
    }
    read: list[object] = []
    # It would be no more than slow: nothing but the time shows it.
    monkeypatch.setattr(ssl.SSLContext, "load_default_certs", lambda *given: read.append(given))
    assert nodes.complete(api.Api(credentials.of_pod(environment, account)))[0].keys() == {"n1"}
    assert read == []
