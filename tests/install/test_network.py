"""What a network list is completed with: the node's name and the cluster's uid."""

import json
import pathlib
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from cni import agents
from harness.kube import api_server, certificates
from moorage.cni import netconf, settings
from moorage.install import errors, installation, network, pieces

UID = "c0ffee00-1111-2222-3333-444444444444"
OURS = {"server": "m:7711", "type": "moorage", "assign_ipv6": True, "timeout_seconds": 2.5}


@pytest.fixture
def source(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "network.json"


@pytest.fixture
def api(tmp_path: pathlib.Path) -> Iterator[api_server.ApiServer]:
    folder = tmp_path / "api"
    folder.mkdir()
    with api_server.serve(folder) as running:
        running.add("Namespace", "kube-system", uid=UID)
        yield running


@pytest.fixture
def account(tmp_path: pathlib.Path, api: api_server.ApiServer) -> installation.Account:
    folder = tmp_path / "account"
    folder.mkdir()
    (folder / "token").write_text(certificates.TOKEN)
    (folder / "namespace").write_text("moorage")
    (folder / "ca.crt").write_bytes((api.directory / "ca.pem").read_bytes())
    return installation.Account(folder=folder, server=api.root)


@pytest.fixture
def places(tmp_path: pathlib.Path) -> installation.Places:
    there = installation.Places(bin_dir=tmp_path / "bin", conf_dir=tmp_path / "net.d")
    for folder in (there.bin_dir, there.conf_dir):
        folder.mkdir()
    return there


def write(source: pathlib.Path, *plugins: dict[str, object]) -> bytes:
    """A list as an administrator may write it, in an order of its own."""
    document = {"plugins": plugins, "name": "pods", "cniVersion": "1.0.0", "x": ["é", 1e-7, None]}
    source.write_text(json.dumps(document, indent=1, ensure_ascii=False))
    return source.read_bytes()


def install(
    places: installation.Places,
    account: installation.Account | None,
    source: pathlib.Path,
    node_name: str = "",
    cluster_uid: str = "",
) -> pieces.Outcome:
    """Installs; returns what became of the list."""
    listed = network.Network(source=source, node_name=node_name, cluster_uid=cluster_uid)
    told = dict(
        installation.install(places, program=b"#!/bin/true\n", listed=listed, account=account)
    )
    return told[places.network]


def ipams(content: bytes) -> list[Any]:
    return [plugin.get("ipam") for plugin in json.loads(content)["plugins"]]


def test_what_is_missing_is_added_and_everything_else_is_as_it_was(source: pathlib.Path) -> None:
    others: list[dict[str, object]] = [{"ipam": {"type": "host-local"}}, {"type": "portmap"}]
    before = write(source, {"type": "bridge", "ipam": OURS, "z": 1}, *others, {"ipam": OURS})
    after = network.read(network.Network(source=source, node_name="n1", cluster_uid=UID))
    completed = {**OURS, "nodename": "n1", "cluster": UID}
    assert ipams(after) == [completed, {"type": "host-local"}, None, completed]
    expected = json.loads(before)
    for at in (0, 3):
        expected["plugins"][at]["ipam"] = completed
    # As text, so that the order of the keys counts.
    assert json.dumps(json.loads(after)) == json.dumps(expected)


def test_a_list_to_which_nothing_is_added_is_the_same_byte_for_byte(source: pathlib.Path) -> None:
    before = write(source, {"ipam": {**OURS, "nodename": "mine", "cluster": "own"}})
    assert network.read(network.Network(source=source, node_name="n1", cluster_uid=UID)) == before
    before = write(source, {"ipam": OURS})
    assert network.read(network.Network(source=source)) == before


@pytest.mark.parametrize("key", ["nodename", "nodename_file", "hostname"])
def test_a_name_that_the_administrator_has_written_wins(key: str, source: pathlib.Path) -> None:
    wanted = network.Network(source=source, node_name="n1")
    inside: dict[str, object] = {"ipam": {**OURS, key: "mine"}}
    beside: dict[str, object] = {"ipam": OURS, key: "mine"}
    for plugin in (inside, beside):
        before = write(source, plugin)
        assert network.read(wanted) == before
    write(source, {"ipam": {**OURS, key: ""}, key: None})
    [ipam] = ipams(network.read(wanted))
    assert ipam["nodename"] == "n1"


def test_what_is_written_is_what_the_plugin_reads(source: pathlib.Path) -> None:
    write(source, {"type": "bridge", "ipam": OURS, "hostname": ""})
    document = json.loads(
        network.read(network.Network(source=source, node_name="n1", cluster_uid=UID))
    )
    [plugin] = document.pop("plugins")
    chosen = settings.parse(netconf.parse(json.dumps(document | plugin).encode()))
    assert (settings.node_name(chosen), chosen.cluster_uid) == ("n1", UID)


def test_server_and_certificates_are_added_where_the_list_names_none(source: pathlib.Path) -> None:
    files = {"ca": "/tls/ca.crt", "certificate": "/tls/node.pem", "key": "/tls/node.pem"}
    wanted = network.Network(source=source, server="ipam:7711", tls=files)
    own = {"type": "moorage", "server": "mine:7711", "tls": {"ca": "/mine.crt"}}
    write(source, {"ipam": {"type": "moorage"}}, {"ipam": own})
    assert ipams(network.read(wanted)) == [
        {"type": "moorage", "server": "ipam:7711", "tls": files},
        own,
    ]
    before = write(source, {"ipam": own})
    assert network.read(wanted) == before


def test_the_cluster_is_asked_for_its_uid(
    places: installation.Places,
    account: installation.Account,
    source: pathlib.Path,
    api: api_server.ApiServer,
) -> None:
    write(source, {"ipam": OURS}, {"ipam": OURS})
    assert install(places, account, source, node_name="n1") is pieces.Outcome.CREATED
    completed = {**OURS, "nodename": "n1", "cluster": UID}
    assert ipams(places.network.read_bytes()) == [completed, completed]
    assert api.requests == ["/api/v1/namespaces/kube-system"]
    assert api.used == {("get", "", "namespaces")}
    assert install(places, account, source, node_name="n1") is pieces.Outcome.UNCHANGED
    # Made anew, with the same nodes.
    api.add("Namespace", "kube-system", uid="another")
    assert install(places, account, source, node_name="n1") is pieces.Outcome.CONFIGURED


def test_a_cluster_that_is_known_is_not_asked(
    places: installation.Places,
    account: installation.Account,
    source: pathlib.Path,
    api: api_server.ApiServer,
) -> None:
    write(source, {"ipam": {**OURS, "cluster": "own"}})
    install(places, account, source)
    write(source, {"ipam": OURS})
    install(places, account, source, cluster_uid="by-hand")
    assert ipams(places.network.read_bytes()) == [{**OURS, "cluster": "by-hand"}]
    assert api.requests == []


def test_an_api_that_is_away_is_told_of_and_the_next_installation_goes_on(
    places: installation.Places,
    account: installation.Account,
    source: pathlib.Path,
    api: api_server.ApiServer,
) -> None:
    write(source, {"ipam": OURS})
    away = installation.Account(folder=account.folder, server="https://127.0.0.1:1")
    with pytest.raises(errors.InstallError) as failed:
        install(places, away, source)
    for part in ("kube-system", "install again when https://127.0.0.1:1 answers", "--cluster"):
        assert part in str(failed.value)
    assert not any([*places.bin_dir.iterdir(), *places.conf_dir.iterdir()])
    api.granted = set()
    with pytest.raises(errors.InstallError, match="HTTP status 403"):
        install(places, account, source)
    api.granted = {("get", "", "namespaces")}
    assert install(places, account, source) is pieces.Outcome.CREATED


def run(places: installation.Places, *options: str) -> "subprocess.CompletedProcess[str]":
    where = ("--bin-dir", str(places.bin_dir), "--conf-dir", str(places.conf_dir))
    return subprocess.run(
        (agents.PROGRAM, "install", *where, *options),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_command_completes_the_list_that_it_installs(
    places: installation.Places,
    account: installation.Account,
    source: pathlib.Path,
) -> None:
    write(source, {"ipam": OURS})
    named = ("--conflist", str(source), "--nodename=n1.example")
    by_account = ("--service-account", str(account.folder), "--api-server", account.server)
    for options, uid in ((by_account, UID), (("--cluster=by-hand",), "by-hand")):
        done = run(places, *named, *options)
        assert (done.returncode, done.stderr) == (0, "")
        completed = {**OURS, "nodename": "n1.example", "cluster": uid}
        assert ipams(places.network.read_bytes()) == [completed]


@pytest.mark.parametrize("value", ["", "$(NODE_NAME)", "two words", "x" * 254])
def test_a_name_that_is_none_is_refused(
    value: str, places: installation.Places, source: pathlib.Path
) -> None:
    write(source, {"ipam": OURS})
    for option in ("--nodename", "--cluster"):
        done = run(places, "--conflist", str(source), f"{option}={value}")
        assert done.returncode == 2
        assert f"{value!r} is not a name: write letters" in done.stderr


def test_the_command_completes_the_list_with_server_and_certificates(
    places: installation.Places, source: pathlib.Path
) -> None:
    write(source, {"ipam": {"type": "moorage"}})
    named = ("--conflist", str(source), "--server=ipam.example:7711")
    files = ("--tls-ca=/tls/ca.crt", "--tls-cert=/tls/node.pem", "--tls-key=/tls/node.pem")
    done = run(places, *named, *files)
    assert (done.returncode, done.stderr) == (0, "")
    [completed] = ipams(places.network.read_bytes())
    tls = {"ca": "/tls/ca.crt", "certificate": "/tls/node.pem", "key": "/tls/node.pem"}
    assert completed == {"type": "moorage", "server": "ipam.example:7711", "tls": tls}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--server=a:b"], "'a:b' is not a server"),
        (["--tls-cert=/node.pem"], "a certificate and its key go together"),
        (["--tls-cert=/node.pem", "--tls-key=/node.pem"], "name its authorities"),
    ],
)
def test_a_server_or_certificates_that_cannot_be_are_refused(
    options: list[str], said: str, places: installation.Places, source: pathlib.Path
) -> None:
    write(source, {"ipam": {"type": "moorage"}})
    done = run(places, "--conflist", str(source), *options)
    assert done.returncode == 2
    assert said in done.stderr


@pytest.mark.parametrize("option", ["--nodename=n1", "--server=m:7711", "--tls-ca=/tls/ca.crt"])
def test_there_must_be_a_list_to_complete(option: str, places: installation.Places) -> None:
    done = run(places, option)
    assert done.returncode == 2
    assert "complete what --conflist names" in done.stderr
