"""Kubeconfigs: what is taken from them, and how a mistake in one is named."""

import base64
from pathlib import Path

import pytest
import yaml

from moorage.cni import errors, kubeconfig, netconf, settings

PEM = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"


def write(directory: Path, cluster: object, user: object, current: str = "here") -> Path:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": current,
        "contexts": [
            {"name": "elsewhere", "context": {"cluster": "none", "user": "none"}},
            {"name": "here", "context": {"cluster": "c", "user": "u"}},
        ],
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
    }
    file = directory / "kubeconfig"
    file.write_text(yaml.safe_dump(document))
    return file


def access(file: Path) -> kubeconfig.Access:
    section = {"kubernetes": {"kubeconfig": str(file)}}
    conf = netconf.NetConf(
        cni_version="1.0.0",
        name="pods",
        server="",
        vrf="",
        timeout_seconds=1,
        document={"ipam": section},
    )
    cluster = settings.parse(conf).cluster
    assert cluster is not None
    return kubeconfig.access(cluster)


def test_credentials_may_be_inside(tmp_path: Path) -> None:
    inside = base64.b64encode(PEM.encode()).decode()
    file = write(
        tmp_path,
        {
            "server": "https://[fd00::1]:6443/prefix/",
            "certificate-authority-data": inside,
            "tls-server-name": "kubernetes",
        },
        {"token": "t", "client-certificate-data": inside, "client-key-data": inside},
    )
    assert access(file) == kubeconfig.Access(
        host="fd00::1",
        port=6443,
        path="/prefix",
        server_name="kubernetes",
        ca_pem=PEM,
        token="t",
        certificate_pem=PEM,
        key_pem=PEM,
    )


def test_files_are_named_from_where_the_kubeconfig_lies(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text(PEM)
    (tmp_path / "token").write_text("from-file\n")
    file = write(
        tmp_path,
        {"server": "https://k", "certificate-authority": "ca.pem"},
        {"tokenFile": str(tmp_path / "token"), "token": "stale"},
    )
    found = access(file)
    assert (found.host, found.port, found.ca_pem, found.token) == ("k", 443, PEM, "from-file")


def test_secrets_are_not_shown() -> None:
    shown = repr(kubeconfig.Access(host="k", port=1, path="", token="secret", key_pem="secret"))
    assert "secret" not in shown


@pytest.mark.parametrize(
    ("cluster", "user", "rule"),
    [
        ({"server": "http://k:8080"}, {}, "not the https URL"),
        ({"server": "k:6443"}, {}, "not the https URL"),
        ({"server": "https://k:port"}, {}, "not the https URL"),
        ({"server": "https://u:p@k"}, {}, "not the https URL"),
        ({"server": "https://a..b"}, {}, "not the https URL"),
        ({}, {}, "not the https URL"),
        ({"server": 1}, {}, '"server" is no plain text'),
        ({"server": "https://k", "insecure-skip-tls-verify": True}, {}, "is not supported"),
        ({"server": "https://k", "proxy-url": "http://p"}, {}, "is not supported"),
        ({"server": "https://k"}, {"exec": {"command": "x"}}, '"exec" is not supported'),
        ({"server": "https://k"}, {"username": "x", "password": "y"}, "is not supported"),
        ({"server": "https://k"}, {"token": "a\nb"}, '"token" is no plain text'),
        ({"server": "https://k"}, {"token": ["a"]}, '"token" is no plain text'),
        ({"server": "https://k"}, {"client-key-data": "%"}, "not base64 of PEM"),
        ({"server": "https://k", "certificate-authority": "absent"}, {}, "cannot be read"),
        ({"server": "https://k"}, {"tokenFile": "absent"}, "cannot be read"),
    ],
)
def test_a_mistake_is_named_and_secrets_are_not(
    cluster: object, user: object, rule: str, tmp_path: Path
) -> None:
    with pytest.raises(errors.CniError) as refused:
        access(write(tmp_path, cluster, user))
    assert refused.value.code == errors.Code.INVALID_CONFIG
    assert "kubernetes.kubeconfig" in refused.value.msg
    assert rule in refused.value.msg
    assert "a\nb" not in refused.value.msg


@pytest.mark.parametrize("current", ["", "absent", "elsewhere"])
def test_the_current_context_must_lead_to_a_cluster_and_a_user(
    current: str, tmp_path: Path
) -> None:
    file = write(tmp_path, {"server": "https://k"}, {}, current)
    with pytest.raises(errors.CniError, match="has no '"):
        access(file)


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "a: [", "a: 'b", "contexts: 1", "\x00", "&a [*a]"),
        *("a: !!int b", "a: 2020-13-99", "a: " + "{b: " * 1000, "current-context: &a [*a, *a]"),
    ],
)
def test_what_is_no_kubeconfig_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(text)
    with pytest.raises(errors.CniError) as refused:
        access(file)
    assert refused.value.code == errors.Code.INVALID_CONFIG
