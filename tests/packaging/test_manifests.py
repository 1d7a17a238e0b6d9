"""What holds for every manifest of deploy/; no cluster is needed."""

import pathlib
from typing import Any

import pytest
import yaml

DEPLOY = pathlib.Path(__file__).resolve().parents[2] / "deploy"
UNINSTALL = DEPLOY / "uninstall" / "uninstall.yaml"
MANIFESTS = sorted(
    each for each in (DEPLOY / "base").rglob("*.yaml") if each.name != "kustomization.yaml"
)
WORKLOADS = {"DaemonSet", "Deployment", "Job"}


def _objects(manifest: pathlib.Path) -> list[Any]:
    return [one for one in yaml.safe_load_all(manifest.read_text()) if one is not None]


PODS = [
    pytest.param(one["spec"]["template"]["spec"], id=manifest.name)
    for manifest in (*MANIFESTS, UNINSTALL)
    for one in _objects(manifest)
    if one["kind"] in WORKLOADS
]


def test_one_can_be_deleted_without_the_others() -> None:
    made = [
        {(one["kind"], one["metadata"]["name"]) for one in _objects(manifest)}
        for manifest in MANIFESTS
    ]
    assert len(made) == len({manifest.name for manifest in MANIFESTS}) == 4
    assert sum(map(len, made)) == len(set().union(*made))
    # It is the same, in another form.
    [uninstalling] = _objects(UNINSTALL)
    assert (uninstalling["kind"], uninstalling["metadata"]["name"]) in set().union(*made)


def test_namespace_and_release_are_said_in_one_place() -> None:
    for manifest in (*MANIFESTS, UNINSTALL):
        assert not any("namespace" in one["metadata"] for one in _objects(manifest))
        images = {
            line.split()[-1] for line in manifest.read_text().splitlines() if " image:" in line
        }
        assert images <= {"moorage"}


@pytest.mark.parametrize("pod", PODS)
def test_no_pod_waits_for_what_waits_for_it(pod: Any) -> None:  # noqa: ANN401 - a pod's spec
    # The pods of the cluster's DNS need an address, which ours must not need a name for.
    assert pod["dnsPolicy"] == "Default"
    assert pod["hostNetwork"] is True
