"""moorage-controller as it is installed and shipped: what it is granted, told, and how it ends."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.ground import Cluster
from controller.process import PROGRAM, Process
from harness import serving
from harness.kube import api_server, faults
from moorage.controller import labels

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
MANIFESTS = DEPLOY / "base" / "controller" / "controller.yaml"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/moorage/leases/moorage-controller"

Start = Callable[..., Process]


def shipped(kind: str) -> list[dict[str, Any]]:
    """The manifests of a kind."""
    documents = yaml.safe_load_all(MANIFESTS.read_text())
    return [document for document in documents if document["kind"] == kind]


def granted() -> set[api_server.Right]:
    """What the manifests allow the controller."""
    return {
        (verb, group, resource)
        for kind in ("ClusterRole", "Role")
        for document in shipped(kind)
        for rule in document["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def container() -> dict[str, Any]:
    """The container of the Deployment."""
    (deployment,) = shipped("Deployment")
    (found,) = deployment["spec"]["template"]["spec"]["containers"]
    return dict(found)


@pytest.fixture
def start(east: Cluster, server: serving.Serving) -> Iterator[Start]:
    """Starts the program with the options that are shipped and the rights that are granted."""
    east.kube.granted = granted()
    running: list[Process] = []

    def starts(*more: str) -> Process:
        told = {"MOORAGE_SERVER": server.target, "MOORAGE_CLUSTER_NAME": "east"}
        assert told.keys() == {each["name"] for each in container()["env"]}
        arguments = [f"--{_option(name)}={value}" for name, value in told.items()]
        here = [f"--kubeconfig={east.kube.kubeconfig}", "--lease-namespace=moorage", "--every=1s"]
        running.append(Process([*arguments, *here, *more]))
        return running[-1]

    yield starts
    for each in running:
        if each.process.returncode is None:
            each.kill()


def _option(variable: str) -> str:
    """The option that says what a variable does."""
    return variable.removeprefix("MOORAGE_").lower().replace("_", "-")


def holder(east: Cluster) -> str:
    """Who holds the lease."""
    spec = east.kube.objects[LEASE]["spec"]
    assert isinstance(spec, dict)
    return str(spec["holderIdentity"])


def test_it_does_its_work_by_what_it_is_granted_and_is_granted_no_more(
    east: Cluster, start: Start
) -> None:
    kept, gone = east.run_pod("shop/web-0"), east.assign("shop/web-1", uid="uid-gone")
    process = start()
    process.wait_for("INFO leading for cluster east and VRF default")
    process.wait_for("node n1: labels recorded")
    process.wait_for(f"suspect: {gone} of pod shop/web-1")
    east.pass_time()
    process.wait_for(f"released: {gone} of pod shop/web-1")
    assert east.held() == {kept}
    assert east.kube.watching.acquire(timeout=20)
    east.kube.add_node("n2", labels={"zone": "a"})
    process.wait_for("node n2: labels recorded")
    assert holder(east)
    assert process.terminate() == 0
    assert holder(east) == ""
    assert east.kube.used == east.kube.granted


def test_of_two_one_acts_and_the_other_takes_over_when_it_goes(east: Cluster, start: Start) -> None:
    first = start()
    first.wait_for("INFO leading")
    second = start()
    second.wait_for(f"INFO {holder(east)} leads")
    before = holder(east)
    east.kube.add_node("n2")
    first.wait_for("node n2: labels recorded")
    assert first.terminate() == 0
    second.wait_for("INFO leading")
    east.kube.add_node("n3")
    second.wait_for("node n3: labels recorded")
    assert holder(east) not in ("", before)
    assert not [line for line in second.told if "node n2" in line]
    assert second.terminate() == 0


def test_a_uid_that_is_given_goes_before_that_of_the_cluster(east: Cluster, start: Start) -> None:
    kept = east.assign("shop/web-0", uid="uid-gone")
    gone = east.assign("shop/web-1", uid="uid-gone-too", cluster="restored")
    process = start("--cluster-uid=restored")
    process.wait_for(f"suspect: {gone} of pod shop/web-1")
    east.pass_time()
    process.wait_for(f"released: {gone} of pod shop/web-1")
    assert process.terminate() == 0
    assert east.held() == {kept}
    assert east.nodes()["n1"][labels.UID] == "restored"


def test_it_outlives_an_outage_of_the_api_and_collects_nothing_meanwhile(
    east: Cluster, start: Start
) -> None:
    gone = east.assign("shop/web-1", uid="uid-gone")
    process = start()
    process.wait_for(f"suspect: {gone}")
    east.kube.misbehave = faults.only("/api/v1/", faults.refusing(500))
    east.pass_time()
    process.wait_for("ERROR nothing is collected: .* HTTP status 500")
    process.wait_for("ERROR nothing is collected")
    assert east.held() == {gone}
    east.kube.misbehave = None
    process.wait_for(f"released: {gone}")
    assert process.terminate() == 0


def test_a_bad_token_is_told_of_until_it_is_renewed(east: Cluster, start: Start) -> None:
    east.kube.tokens = {"renewed"}
    process = start()
    process.wait_for("WARNING cannot GET .*leases.*: HTTP status 401 Unauthorized")
    (east.kube.directory / "token").write_text("renewed")
    process.wait_for("INFO leading")
    assert process.terminate() == 0


def test_a_right_that_is_missing_is_named(east: Cluster, start: Start) -> None:
    east.kube.granted = granted() - {("list", "", "pods")}
    east.assign("shop/web-1", uid="uid-gone")
    process = start()
    process.wait_for("HTTP status 403 Forbidden pods is forbidden: .* cannot list resource")
    assert process.terminate() == 0
    assert east.suspects() == set()


def test_it_stops_as_well_where_it_never_led(east: Cluster, start: Start) -> None:
    east.kube.misbehave = faults.refusing(503)
    process = start()
    process.wait_for("HTTP status 503")
    assert process.terminate() == 0


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs the program to its end."""
    return subprocess.run(
        [PROGRAM, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Missing option '--cluster-name'"),
        (["--cluster", "east"], "No such option"),
        (["--cluster-name", "East"], "'East' is no name"),
        (["--cluster-name", "east"], "KUBERNETES_SERVICE_HOST is not set"),
        (["--cluster-name", "east", "--server", "a:b"], "'a:b' is not a server"),
        (["--cluster-name", "east", "--cluster-uid", ""], "write 1 to 128 characters"),
        (["--cluster-name", "east", "--grace", "59s"], "from 60 to 86400 seconds"),
        (["--cluster-name", "east", "--every", "0"], "'0' is not a duration"),
        (["--cluster-name", "east", "--kubeconfig", "/none"], "/none"),
        (["--cluster-name", "east", "what"], "unexpected extra argument"),
    ],
)
def test_what_is_wrong_with_the_command_line_is_said(arguments: list[str], said: str) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_outside_of_a_cluster_the_namespace_of_the_lease_must_be_named(east: Cluster) -> None:
    done = run("--cluster-name", "east", "--kubeconfig", str(east.kube.kubeconfig))
    assert done.returncode == 2
    assert "--lease-namespace" in done.stderr


def test_its_help_names_every_exit_code() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert all(f"\n    {code}   " in done.stdout for code in (0, 2, 8)), done.stdout


def test_the_manifests_are_as_strict_as_a_pod_can_be() -> None:
    (deployment,) = shipped("Deployment")
    pod = deployment["spec"]["template"]["spec"]
    assert deployment["spec"]["replicas"] == 2
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container()["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    (account,) = shipped("ServiceAccount")
    bindings = [*shipped("ClusterRoleBinding"), *shipped("RoleBinding")]
    assert {binding["subjects"][0]["name"] for binding in bindings} == {account["metadata"]["name"]}
    assert pod["serviceAccountName"] == account["metadata"]["name"]
