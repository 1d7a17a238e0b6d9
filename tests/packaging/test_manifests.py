"""What holds for every manifest of deploy/; no cluster is needed."""

import pathlib
from typing import Any

import pytest
import yaml

DEPLOY = pathlib.Path(__file__).resolve().parents[2] / "deploy"
MANIFESTS = sorted(DEPLOY.glob("*.yaml"))
WORKLOADS = {"DaemonSet", "Deployment"}


def _objects(manifest: pathlib.Path) -> list[Any]:
    return [one for one in yaml.safe_load_all(manifest.read_text()) if one is not None]


PODS = [
    pytest.param(one["spec"]["template"]["spec"], id=manifest.name)
    for manifest in MANIFESTS
    for one in _objects(manifest)
    if one["kind"] in WORKLOADS
]


@pytest.mark.parametrize("pod", PODS)
def test_no_pod_waits_for_what_waits_for_it(pod: Any) -> None:  # noqa: ANN401 - a pod's spec
    # The pods of the cluster's DNS need an address, which ours must not need a name for.
    assert pod["dnsPolicy"] == "Default"
    assert pod["hostNetwork"] is True
