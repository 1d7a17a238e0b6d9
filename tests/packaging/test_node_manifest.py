"""What deploy/base/node asks of a cluster, and deploy/uninstall takes away again, held
against the programs; no cluster is needed.

`make e2e-kube` applies them to a real one.
"""

import json
import pathlib
import re
from typing import Any

import click
import pytest
import yaml

from moorage import in_cluster
from moorage.agent import places, program, service
from moorage.cni import netconf, settings
from moorage.install import installation, launcher, network

DEPLOY = pathlib.Path(__file__).resolve().parents[2] / "deploy"
MANIFEST = DEPLOY / "base" / "node" / "node.yaml"
UNINSTALL = DEPLOY / "uninstall" / "uninstall.yaml"
_VARIABLE = re.compile(r"\$\(\w+\)")
COMMANDS: dict[str, click.Command] = dict(program.main.commands)


def _objects() -> dict[str, Any]:
    documents = [one for one in yaml.safe_load_all(MANIFEST.read_text()) if one is not None]
    assert len({one["kind"] for one in documents}) == len(documents)
    return {one["kind"]: one for one in documents}


@pytest.fixture
def pod() -> Any:  # noqa: ANN401 - an object of Kubernetes
    return _objects()["DaemonSet"]["spec"]["template"]["spec"]


@pytest.fixture
def uninstalling() -> Any:  # noqa: ANN401
    return yaml.safe_load(UNINSTALL.read_text())


def _containers(pod: Any) -> dict[str, Any]:  # noqa: ANN401
    return {one["name"]: one for one in (*pod["initContainers"], *pod["containers"])}


def _parsed(command: list[str]) -> dict[str, Any]:
    name, verb, *arguments = (_VARIABLE.sub("n1", each) for each in command)
    assert name == "moorage-agent"
    return COMMANDS[verb].make_context(verb, list(arguments)).params


def test_the_nodes_may_read_pods_and_namespaces_and_nothing_else() -> None:
    objects = _objects()
    granted = {
        (resource, verb)
        for rule in objects["ClusterRole"]["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    watched = {("namespaces", verb) for verb in ("get", "list", "watch")}
    assert granted == {("pods", "get")} | watched
    [subject] = objects["ClusterRoleBinding"]["subjects"]
    assert subject["name"] == objects["ServiceAccount"]["metadata"]["name"]
    assert (
        objects["ClusterRoleBinding"]["roleRef"]["name"]
        == (objects["ClusterRole"]["metadata"]["name"])
    )


def test_the_network_list_is_one_that_the_installer_and_the_plugin_take() -> None:
    source = MANIFEST.with_name(installation.CONFLIST)
    listed = network.Network(source=source, server="m:1", node_name="n1", cluster_uid="uid-1")
    document = json.loads(network.read(listed))
    [plugin] = document.pop("plugins")
    conf = netconf.parse(json.dumps(document | plugin).encode())
    chosen = settings.parse(conf)
    assert (settings.node_name(chosen), chosen.cluster_uid) == ("n1", "uid-1")
    assert conf.server == "m:1"
    cluster = chosen.cluster
    assert cluster is not None
    assert pathlib.Path(cluster.kubeconfig) == installation.Places().kubeconfig
    assert netconf.POD_ANNOTATIONS in plugin["capabilities"]


@pytest.mark.parametrize("name", ["install", "agent", "credentials"])
def test_every_command_is_one_that_its_program_understands(pod: Any, name: str) -> None:  # noqa: ANN401
    container = _containers(pod)[name]
    assert _parsed(container["command"])
    for probe in ("livenessProbe", "readinessProbe"):
        if probe in container:
            assert _parsed(container[probe]["exec"]["command"])


def test_the_installer_is_told_what_kubernetes_calls_the_node(pod: Any) -> None:  # noqa: ANN401
    container = _containers(pod)["install"]
    of_node = {"fieldRef": {"fieldPath": "spec.nodeName"}}
    assert {"name": "NODE_NAME", "valueFrom": of_node} in container["env"]
    assert _parsed(container["command"])["nodename"] == "n1"
    # With it, and the rights of the account, it asks for the cluster.
    account = _parsed(container["command"])["account"]
    assert account == in_cluster.SERVICE_ACCOUNT


def test_the_plugin_is_told_where_the_agent_listens(pod: Any) -> None:  # noqa: ANN401
    containers = _containers(pod)
    listens = _parsed(containers["agent"]["command"])["path"]
    probe = containers["agent"]["livenessProbe"]["exec"]["command"]
    assert _parsed(probe)["path"] == listens
    for name in ("install", "credentials"):
        assert _parsed(containers[name]["command"])["socket"] == listens


def test_what_the_containers_write_is_the_nodes_at_the_same_place(pod: Any) -> None:  # noqa: ANN401
    volumes = {one["name"]: one.get("hostPath", {}).get("path") for one in pod["volumes"]}
    used = set()
    for container in _containers(pod).values():
        for mount in container["volumeMounts"]:
            used.add(mount["name"])
            assert volumes[mount["name"]] in (mount["mountPath"], None)
    assert used == volumes.keys()
    listens = _parsed(_containers(pod)["agent"]["command"])["path"]
    needed = (
        installation.BIN_DIR,
        installation.CONF_DIR,
        listens.parent.parent,  # the agent makes the directory of the socket itself
        places.JOURNAL.parent,
    )
    assert {str(path) for path in needed} == set(filter(None, volumes.values()))


def test_the_pods_run_on_every_node_before_there_is_a_network_of_pods(pod: Any) -> None:  # noqa: ANN401
    assert pod["hostNetwork"] is True
    assert pod["tolerations"] == [{"operator": "Exists"}]
    assert pod["priorityClassName"] == "system-node-critical"


def test_an_agent_that_is_replaced_has_the_time_that_it_takes_to_end(pod: Any) -> None:  # noqa: ANN401
    grace = pod["terminationGracePeriodSeconds"]
    assert service.FINISHED_WITHIN < grace <= launcher.PATIENCE / 2


def test_no_container_has_more_rights_than_to_write_the_nodes_directories(pod: Any) -> None:  # noqa: ANN401
    for container in _containers(pod).values():
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert "privileged" not in context


def test_what_uninstalls_takes_the_place_of_what_installs(uninstalling: Any) -> None:  # noqa: ANN401
    installing = _objects()["DaemonSet"]
    assert uninstalling["metadata"] == installing["metadata"]
    assert uninstalling["spec"]["selector"] == installing["spec"]["selector"]
    before, after = (one["spec"]["template"]["spec"] for one in (installing, uninstalling))
    for field in ("nodeSelector", "tolerations", "hostNetwork", "priorityClassName"):
        assert after[field] == before[field]


def test_what_uninstalls_finds_what_was_installed(pod: Any, uninstalling: Any) -> None:  # noqa: ANN401
    after = uninstalling["spec"]["template"]["spec"]
    [container] = after["initContainers"]
    of_install = _parsed(_containers(pod)["install"]["command"])
    chosen = ("bin_dir", "conf_dir", "conflist_name")
    taken = _parsed(container["command"])
    assert [taken[each] for each in chosen] == [of_install[each] for each in chosen]
    mounts = {each["name"]: each for each in container["volumeMounts"]}
    known = {each["name"]: each for each in _containers(pod)["install"]["volumeMounts"]}
    volumes = {each["name"]: each for each in pod["volumes"]}
    assert mounts == {name: known[name] for name in ("bin-dir", "conf-dir")}
    assert after["volumes"] == [volumes[name] for name in mounts]


def test_what_uninstalls_has_no_right_that_it_does_not_need(pod: Any, uninstalling: Any) -> None:  # noqa: ANN401
    after = uninstalling["spec"]["template"]["spec"]
    assert after["automountServiceAccountToken"] is False
    confined = _containers(pod)["install"]["securityContext"]
    for container in _containers(after).values():
        assert container["securityContext"] == confined
