"""What holds for every manifest of deploy/; no cluster is needed."""

import pathlib
from typing import Any

import pytest
import yaml

DEPLOY = pathlib.Path(__file__).resolve().parents[2] / "deploy"
MANIFESTS = sorted(DEPLOY.glob("*.yaml"))
WORKLOADS = {"DaemonSet", "Deployment"}


NAMESPACE = "moorage"


def _objects(manifest: pathlib.Path) -> list[Any]:
    return [one for one in yaml.safe_load_all(manifest.read_text()) if one is not None]


PODS = [
    pytest.param(one["spec"]["template"]["spec"], id=manifest.name)
    for manifest in MANIFESTS
    for one in _objects(manifest)
    if one["kind"] in WORKLOADS
]


def test_one_can_be_deleted_without_the_others() -> None:
    made = {
        manifest.name: {(one["kind"], one["metadata"]["name"]) for one in _objects(manifest)}
        for manifest in MANIFESTS
    }
    assert made.pop("namespace.yaml") == {("Namespace", NAMESPACE)}
    # It is the same, in another form.
    assert made.pop("node-uninstall.yaml") == {("DaemonSet", "moorage-node")} < made["node.yaml"]
    assert made.keys() == {"controller.yaml", "node.yaml"}
    assert not made["controller.yaml"] & made["node.yaml"]


def test_the_namespace_lets_the_agent_have_the_nodes_directories() -> None:
    [namespace] = _objects(DEPLOY / "namespace.yaml")
    level = namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
    assert level == "privileged"
    for manifest in MANIFESTS:
        for one in _objects(manifest):
            assert one["metadata"].get("namespace", NAMESPACE) == NAMESPACE


@pytest.mark.parametrize("pod", PODS)
def test_no_pod_waits_for_what_waits_for_it(pod: Any) -> None:  # noqa: ANN401 - a pod's spec
    # The pods of the cluster's DNS need an address, which ours must not need a name for.
    assert pod["dnsPolicy"] == "Default"
    assert pod["hostNetwork"] is True
