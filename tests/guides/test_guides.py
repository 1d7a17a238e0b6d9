"""Whoever does what the guides say sees what they show.

`moorctl` is itself; of `kubectl` there is what makes and ends pods: ADDs and DELs of `moorage`, as
a container runtime calls it.
"""

import doctest
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

import moorage
from acceptance.calico.cluster import Cluster
from guides import pages
from harness import serving
from harness.kube import api_server


@pytest.fixture
def cluster_of_one(
    server: serving.Serving, client: moorage.Client, tmp_path: pathlib.Path
) -> Iterator[Cluster]:
    """A cluster with one node."""
    with api_server.serve(tmp_path) as kubernetes:
        yield Cluster(server, client, kubernetes)


@pytest.mark.parametrize("guide", pages.GUIDES, ids=lambda guide: str(guide.stem))
def test_a_guide_shows_what_is_seen(
    guide: pathlib.Path,
    cluster_of_one: Cluster,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in pages.files(guide):
        pathlib.Path(name).write_text(text)
    for words, shown in pages.commands(guide):
        printed = _run(cluster_of_one, words)
        as_shown = doctest.OutputChecker().check_output(shown, printed, doctest.ELLIPSIS)
        assert as_shown, f"{' '.join(words)}\n{printed}"


def _run(cluster: Cluster, words: list[str]) -> str:
    match words:
        case ["moorctl", *rest]:
            return cluster.moorctl.must(*rest)
        case ["kubectl", "apply", "-f", manifest]:
            pod = _pod(manifest)
            cluster.namespace(pod["namespace"])
            cluster.add(pod["name"], pod.get("annotations"), namespace=pod["namespace"])
            return f"pod/{pod['name']} created\n"
        case ["kubectl", "delete", "-f", manifest]:
            pod = _pod(manifest)
            cluster.delete(pod["name"])
            return f'pod "{pod["name"]}" deleted\n'
    raise AssertionError(f"nobody knows how to run {words}")


def _pod(manifest: str) -> Any:  # noqa: ANN401  # an object of Kubernetes
    return yaml.safe_load(pathlib.Path(manifest).read_text())["metadata"]
