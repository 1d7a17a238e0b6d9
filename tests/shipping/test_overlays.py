"""The overlays of deploy/: Kubernetes takes what they come to, and it fits the programs."""

import dataclasses
import pathlib
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

import jsonschema
import pytest
import yaml

from moorage import in_cluster, names
from moorage_server import config
from moorage_server.api import server
from moorage_server.processes import one
from shipping import rendering, schemas, told

# The first test may build kustomize.
pytestmark = pytest.mark.timeout(1200)

GUIDE = rendering.ROOT / "docs" / "deploying.md"
NAMESPACE = "moorage"
CLUSTER_WIDE = {"Namespace", "ClusterRole", "ClusterRoleBinding"}
# Made by whoever deploys, as the guide says.
SECRETS = {"moorage-database", "moorage-server-tls", "moorage-controller-tls"}
AUTHORITIES = "moorage-authorities"
_VARIABLE = re.compile(r"\$\((\w+)\)")

Objects = Sequence[Any]
OVERLAYS = pytest.mark.parametrize("name", rendering.OVERLAYS)


def workloads(objects: Objects) -> Objects:
    """All that make pods."""
    return [each for each in objects if each["kind"] in rendering.WORKLOADS]


def environment(container: Any, objects: Objects) -> dict[str, str]:  # noqa: ANN401
    """The variables of a container, as kubelet makes them."""
    found = dict[str, str]()
    for each in container.get("env", []):
        value = each["value"] if "value" in each else _value(each["valueFrom"], objects)
        found[each["name"]] = _expanded(value, found)
    return found


def command(container: Any, objects: Objects) -> list[str]:  # noqa: ANN401
    """What a container runs, as kubelet makes it."""
    known = environment(container, objects)
    return [_expanded(each, known) for each in container["command"]]


def _value(source: Mapping[str, Any], objects: Objects) -> str:
    if "fieldRef" in source:
        return "n1"
    if "secretKeyRef" in source:
        return "secret"
    reference = source["configMapKeyRef"]
    data = rendering.one(objects, "ConfigMap", reference["name"])["data"]
    return str(data[reference["key"]])


def _expanded(text: str, known: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda match: known[match[1]], text)


def written(folder: pathlib.Path, text: str) -> Objects:
    """What an overlay comes to that somebody has written beside deploy/."""
    shutil.copytree(rendering.DEPLOY, folder / "deploy")
    mine = folder / "mine"
    mine.mkdir()
    (mine / "kustomization.yaml").write_text(text)
    return rendering.rendered(mine)


def settings(objects: Objects) -> config.Settings:
    """Those of the servers of an overlay."""
    [container] = rendering.containers(rendering.one(objects, "Deployment", "moorage-server"))
    known = environment(container, objects)
    del known["DATABASE"]  # the URL is made of it
    return told.settings(known)


@OVERLAYS
def test_kubernetes_takes_every_object(name: str) -> None:
    for each in rendering.overlay(name):
        schemas.require_valid(each)


@pytest.mark.parametrize("field", ["replica", "strategy"])
def test_a_field_that_kubernetes_does_not_know_would_be_noticed(field: str) -> None:
    deployment = rendering.one(rendering.overlay("tls"), "Deployment", "moorage-server")
    spec = {**deployment["spec"], field: "three"}
    with pytest.raises(jsonschema.ValidationError):
        schemas.require_valid({**deployment, "spec": spec})


@OVERLAYS
def test_everything_is_in_the_one_namespace_and_of_the_one_release(name: str) -> None:
    objects = rendering.overlay(name)
    [namespace] = [each for each in objects if each["kind"] == "Namespace"]
    assert namespace["metadata"]["name"] == NAMESPACE
    for each in objects:
        inside = None if each["kind"] in CLUSTER_WIDE else NAMESPACE
        assert each["metadata"].get("namespace") == inside
    images = {each["image"] for work in workloads(objects) for each in rendering.containers(work)}
    assert len(images) == 1


@OVERLAYS
def test_every_name_that_is_referred_to_is_there_or_for_the_administrator_to_make(
    name: str,
) -> None:
    objects = rendering.overlay(name)
    there = {each["metadata"]["name"] for each in objects if each["kind"] == "ConfigMap"}
    text = yaml.safe_dump(workloads(objects))
    referred = set(re.findall(r"configMap(?:KeyRef)?:\n(?:\s+key: .*\n)?\s+name: (\S+)", text))
    assert referred - {AUTHORITIES} <= there
    secrets = set(re.findall(r"(?:secretName|key: \w+-password\n\s+name): (\S+)", text))
    assert secrets <= SECRETS
    made = GUIDE.read_text()
    for each in (secrets | referred) - there:
        assert f" {each} " in made


@OVERLAYS
def test_every_command_and_variable_is_one_that_its_program_understands(name: str) -> None:
    objects = rendering.overlay(name)
    for workload in workloads(objects):
        for container in rendering.containers(workload):
            words = command(container, objects)
            if words == ["moorage-server", "serve"]:
                assert settings(objects)
                continue
            spent = _VARIABLE.findall(" ".join(container["command"]))
            known = environment(container, objects)
            left = {key: value for key, value in known.items() if key not in spent}
            assert told.parsed(words, left) is not None


@OVERLAYS
def test_no_pod_has_a_right_that_it_does_not_need(name: str) -> None:
    for workload in workloads(rendering.overlay(name)):
        is_of_node = workload["kind"] == "DaemonSet"
        pod = rendering.pod(workload)
        assert pod.get("securityContext", {}).get("runAsNonRoot") is (None if is_of_node else True)
        for container in rendering.containers(workload):
            context = {**pod.get("securityContext", {}), **container["securityContext"]}
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert context["seccompProfile"] == {"type": "RuntimeDefault"}
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}
            assert container["resources"]["limits"].keys() == {"memory"}


def test_the_servers_have_no_right_in_the_cluster() -> None:
    objects = rendering.overlay("tls")
    bound = {
        (subject["name"], subject["namespace"])
        for each in objects
        if each["kind"] in ("RoleBinding", "ClusterRoleBinding")
        for subject in each["subjects"]
    }
    assert bound == {(name, NAMESPACE) for name in ("moorage-controller", "moorage-node")}
    for name, kind in (("moorage-server", "Deployment"), ("moorage-migrate", "Job")):
        pod = rendering.pod(rendering.one(objects, kind, name))
        assert pod["automountServiceAccountToken"] is False
        assert pod["serviceAccountName"] == "moorage-server"


def test_servers_that_verify_pods_may_read_one_object_at_a_time_and_nothing_else(
    tmp_path: pathlib.Path,
) -> None:
    objects = written(
        tmp_path,
        "apiVersion: kustomize.config.k8s.io/v1beta1\n"
        "kind: Kustomization\n"
        f"namespace: {NAMESPACE}\n"
        "resources: [../deploy/overlays/tls]\n"
        "components: [../deploy/components/verified-pods]\n",
    )
    for each in objects:
        schemas.require_valid(each)
    assert settings(objects).verifies_pods
    role = rendering.one(objects, "ClusterRole", "moorage-server")
    assert role["rules"] == [
        {"apiGroups": [""], "resources": ["pods", "namespaces"], "verbs": ["get"]}
    ]
    binding = rendering.one(objects, "ClusterRoleBinding", "moorage-server")
    account = {"kind": "ServiceAccount", "name": "moorage-server", "namespace": NAMESPACE}
    assert binding["subjects"] == [account]
    tokens = {
        each["metadata"]["name"]: rendering.pod(each)["automountServiceAccountToken"]
        for each in workloads(objects)
        if rendering.pod(each)["serviceAccountName"] == "moorage-server"
    }
    assert tokens == {"moorage-server": True, "moorage-migrate": False}


def test_ports_and_paths_are_those_of_the_program() -> None:
    objects = rendering.overlay("tls")
    [container] = rendering.containers(rendering.one(objects, "Deployment", "moorage-server"))
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    expected = (config.DEFAULT_LISTEN, config.DEFAULT_METRICS_LISTEN)
    api, metrics = (int(each.rpartition(":")[2]) for each in expected)
    assert ports == {"api": api, "metrics": metrics}
    assert api == names.DEFAULT_PORT
    served = rendering.one(objects, "Service", "moorage-server")["spec"]["ports"]
    assert [(each["port"], each["targetPort"]) for each in served] == [
        (api, "api"),
        (metrics, "metrics"),
    ]
    found = settings(objects)
    assert [found.listen, found.metrics_listen] == [f"0.0.0.0:{api}", f"0.0.0.0:{metrics}"]


def test_liveness_and_readiness_are_asked_apart() -> None:
    objects = rendering.overlay("tls")
    [container] = rendering.containers(rendering.one(objects, "Deployment", "moorage-server"))
    asked = {
        name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")
    }
    lives, ready = ({"path": path, "port": "metrics"} for path in ("/livez", "/readyz"))
    assert asked == {"startup": lives, "liveness": lives, "readiness": ready}


def test_a_server_has_the_time_that_it_takes_to_end() -> None:
    for name in ("tls", "trial"):
        objects = rendering.overlay(name)
        pod = rendering.pod(rendering.one(objects, "Deployment", "moorage-server"))
        ends_within = settings(objects).drain_seconds + server.GRACE + one.LAST_TRANSACTIONS
        assert ends_within < pod["terminationGracePeriodSeconds"]


def test_while_all_is_well_at_most_one_server_is_away() -> None:
    objects = rendering.overlay("tls")
    spec = rendering.one(objects, "Deployment", "moorage-server")["spec"]
    assert spec["replicas"] == 3
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 1
    budget = rendering.one(objects, "PodDisruptionBudget", "moorage-server")["spec"]
    assert budget["maxUnavailable"] == 1
    labels = spec["template"]["metadata"]["labels"].items()
    spread = rendering.pod({"spec": spec})["topologySpreadConstraints"]
    for each in (budget["selector"], spec["selector"], *(term["labelSelector"] for term in spread)):
        assert each["matchLabels"].items() <= labels


def test_without_an_overlay_a_server_refuses_to_start() -> None:
    base = rendering.rendered(rendering.DEPLOY / "base")
    shared = [each for each in rendering.overlay("tls") if each["kind"] == "ConfigMap"]
    with pytest.raises(config.SettingsError, match="insecure-bind"):
        settings([*base, *shared])


def test_the_overlay_with_certificates_lets_nobody_in_without_one() -> None:
    found = settings(rendering.overlay("tls"))
    assert found.asks_who_calls
    assert not found.is_exposed


def test_every_file_that_a_program_is_told_of_is_mounted_where_it_says() -> None:
    objects = rendering.overlay("tls")
    for workload in workloads(objects):
        volumes = {each["name"] for each in rendering.pod(workload)["volumes"]}
        for container in rendering.pod(workload)["containers"]:
            mounts = {each["mountPath"] for each in container["volumeMounts"]}
            assert {each["name"] for each in container["volumeMounts"]} <= volumes
            for value in environment(container, objects).values():
                if value.startswith("/etc/moorage/"):
                    assert str(pathlib.Path(value).parent) in mounts
    roles = rendering.one(objects, "ConfigMap", "moorage-roles")["data"]
    assert pathlib.Path(settings(objects).roles).name in roles


def test_the_agent_has_the_files_that_the_network_list_names() -> None:
    objects = rendering.overlay("tls")
    node = rendering.one(objects, "DaemonSet", "moorage-node")
    by_name = {each["name"]: each for each in rendering.containers(node)}
    parameters = told.parsed(command(by_name["install"], objects))
    mounts = {each["mountPath"] for each in by_name["agent"]["volumeMounts"]}
    for path in (parameters["tls_ca"], parameters["tls_cert"], parameters["tls_key"]):
        assert str(pathlib.Path(path).parent) in mounts
    assert parameters["account"] == in_cluster.SERVICE_ACCOUNT
    assert (
        parameters["server"]
        == rendering.one(objects, "ConfigMap", "moorage-settings")["data"]["server"]
    )


def test_the_trial_is_one_server_that_only_its_own_namespace_can_call() -> None:
    objects = rendering.overlay("trial")
    deployment = rendering.one(objects, "Deployment", "moorage-server")
    assert deployment["spec"]["replicas"] == 1
    assert not any(each["kind"] == "DaemonSet" for each in objects)
    for workload in workloads(objects):
        assert "hostNetwork" not in rendering.pod(workload)
    policy = rendering.one(objects, "NetworkPolicy", "moorage-server")["spec"]
    api = [each["from"] for each in policy["ingress"] if each["ports"][0]["port"] == "api"]
    assert api == [[{"podSelector": {}}]]
    [namespace] = [each for each in objects if each["kind"] == "Namespace"]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_policies_let_servers_reach_the_database_and_dns_and_nothing_else() -> None:
    objects = rendering.overlay("trial")
    policies = {each["metadata"]["name"]: each for each in objects if "Policy" in each["kind"]}
    egress = policies["moorage-database"]["spec"]
    ports = sorted({each["port"] for rule in egress["egress"] for each in rule["ports"]})
    assert ports == [53, 5432]
    chosen = set(egress["podSelector"]["matchExpressions"][0]["values"])
    pods = workloads(objects)
    assert chosen == {
        each["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/name"] for each in pods
    }
    assert "ingress" not in policies["moorage-migrate"]["spec"]


@dataclasses.dataclass(frozen=True, slots=True)
class Guide:
    """What the guide has its reader write."""

    text: str

    def block(self, containing: str) -> str:
        """The one that says this."""
        blocks = re.findall(r"```\w*\n(.*?)```", self.text, re.DOTALL)
        [found] = [each for each in blocks if containing in each]
        return str(found)


def test_the_overlay_of_the_guide_changes_what_it_says(tmp_path: pathlib.Path) -> None:
    text = Guide(GUIDE.read_text()).block("behavior: merge")
    objects = written(tmp_path, text)
    data = rendering.one(objects, "ConfigMap", "moorage-settings")["data"]
    wanted = dict(
        each.split("=", 1) for each in yaml.safe_load(text)["configMapGenerator"][0]["literals"]
    )
    assert wanted.items() <= data.items()
    [image] = yaml.safe_load(text)["images"]
    images = {each["image"] for work in workloads(objects) for each in rendering.containers(work)}
    assert images == {f"{image['newName']}:{image['newTag']}"}
    for each in objects:
        schemas.require_valid(each)
    monitor = rendering.one(objects, "ServiceMonitor", "moorage-server")["spec"]
    service = rendering.one(objects, "Service", "moorage-server")
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert {each["port"] for each in monitor["endpoints"]} <= {
        each["name"] for each in service["spec"]["ports"]
    }


def test_the_nodes_of_a_server_elsewhere_have_their_certificates_as_well(
    tmp_path: pathlib.Path,
) -> None:
    text = Guide(GUIDE.read_text()).block("deploy/components/shared\n")
    there = workloads(written(tmp_path, text))
    alike = {each["metadata"]["name"]: each for each in workloads(rendering.overlay("tls"))}
    assert there == [alike[name] for name in ("moorage-controller", "moorage-node")]


def test_the_rule_of_the_guide_is_what_the_alerts_are() -> None:
    line = Guide(GUIDE.read_text()).block("PrometheusRule")
    made = subprocess.run(
        ["sh", "-ec", line.rpartition("| kubectl")[0]],
        cwd=rendering.ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    rule = yaml.safe_load(made.stdout)
    schemas.require_valid(rule)
    alerts = (rendering.DEPLOY / "monitoring" / "alerts.yaml").read_text()
    assert rule["spec"] == yaml.safe_load(alerts)
