"""What Kubernetes says objects look like, strictly: a field that it does not know is wrong."""

import copy
import functools
import json
from collections.abc import Mapping
from typing import Any

import jsonschema
import pytest
import yaml

from e2e import toolchain

KUBERNETES = "k8s.io/kubernetes@v1.36.3"
OPERATOR = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
_CRDS = "example/prometheus-operator-crd/monitoring.coreos.com_{plural}.yaml"
_OF_OPERATOR = {"ServiceMonitor": "servicemonitors", "PrometheusRule": "prometheusrules"}
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"


def require_valid(document: Mapping[str, Any]) -> None:
    """Fails where Kubernetes would refuse it, or drop something; skips without the schemas."""
    try:
        validator = _validator(document["apiVersion"], document["kind"])
    except toolchain.UnavailableError as error:
        pytest.skip(f"Kubernetes' schemas cannot be had here: {error}")
    validator.validate(document)


@functools.cache
def _validator(version: str, kind: str) -> jsonschema.Draft4Validator:
    # Whether the schema itself is one is not asked: it has four megabytes, and is Kubernetes' own.
    known = _of_operator(kind) if kind in _OF_OPERATOR else _of_kubernetes(version, kind)
    return jsonschema.Draft4Validator(known)


def _of_kubernetes(version: str, kind: str) -> Mapping[str, Any]:
    definitions = _definitions()
    group, _, version = version.rpartition("/")
    wanted = {"group": group, "kind": kind, "version": version}
    key = "x-kubernetes-group-version-kind"
    [name] = [name for name, each in definitions.items() if wanted in each.get(key, [])]
    return {"$ref": f"#/definitions/{name}", "definitions": definitions}


@functools.cache
def _definitions() -> Mapping[str, Any]:
    text = toolchain.go_file(KUBERNETES, "api/openapi-spec/swagger.json").read_text()
    definitions: dict[str, Any] = json.loads(text)["definitions"]
    for each in definitions.values():
        _close(each)
    # Swagger has no way to say that a number will do as well.
    definitions[_QUANTITY] = definitions[_INT_OR_STRING] = {"type": ["string", "integer"]}
    return definitions


def _of_operator(kind: str) -> Mapping[str, Any]:
    file = toolchain.go_file(OPERATOR, _CRDS.format(plural=_OF_OPERATOR[kind]))
    [version] = yaml.safe_load(file.read_text())["spec"]["versions"]
    schema = copy.deepcopy(version["schema"]["openAPIV3Schema"])
    del schema["properties"]["metadata"]  # any object's, which no schema of one kind repeats
    schema["properties"]["metadata"] = {}
    _close(schema)
    return dict(schema)


def _close(schema: Any) -> None:  # noqa: ANN401 - any JSON
    """Has everything that names its fields refuse others, all the way down."""
    if isinstance(schema, list):
        for each in schema:
            _close(each)
    if not isinstance(schema, dict):
        return
    for each in list(schema.values()):
        _close(each)
    fields = schema.get("properties")
    if isinstance(fields, dict) and schema.get("type") == "object":
        schema.setdefault("additionalProperties", False)
    if schema.pop("x-kubernetes-int-or-string", False):
        schema.pop("anyOf", None)
