"""What deploy/ comes to, by a real kustomize, which is fetched and built once."""

import functools
import pathlib
import subprocess
from collections.abc import Sequence
from typing import Any

import pytest
import yaml

from e2e import toolchain

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
OVERLAYS = tuple(sorted(each.name for each in (DEPLOY / "overlays").iterdir()))
KUSTOMIZE = "sigs.k8s.io/kustomize/kustomize/v5@v5.8.1"
WORKLOADS = {"DaemonSet", "Deployment", "Job"}


@functools.cache
def kustomize() -> pathlib.Path:
    """The program; raises UnavailableError."""
    return toolchain.go_program(KUSTOMIZE)


def rendered(folder: pathlib.Path) -> Sequence[Any]:
    """The objects of a kustomization; the test is skipped where kustomize cannot be had."""
    try:
        command = [str(kustomize()), "build", str(folder)]
    except toolchain.UnavailableError as error:
        pytest.skip(f"kustomize cannot be had here: {error}")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    # A field that kustomize will not know much longer is a warning.
    assert (done.returncode, done.stderr) == (0, "")
    return list(yaml.safe_load_all(done.stdout))


@functools.cache
def overlay(name: str) -> Sequence[Any]:
    """The objects of one of deploy/overlays."""
    return rendered(DEPLOY / "overlays" / name)


def one(objects: Sequence[Any], kind: str, name: str) -> Any:  # noqa: ANN401 - of Kubernetes
    """The object of this kind and name; a generated one ends in a hash of its content."""
    [found] = [
        each
        for each in objects
        if each["kind"] == kind
        and each["metadata"]["name"] in (name, f"{name}-{each['metadata']['name'][-10:]}")
    ]
    return found


def pod(workload: Any) -> Any:  # noqa: ANN401
    """The pod that a workload makes."""
    return workload["spec"]["template"]["spec"]


def containers(workload: Any) -> Sequence[Any]:  # noqa: ANN401
    """All of a workload's containers."""
    return [*pod(workload).get("initContainers", []), *pod(workload)["containers"]]
