"""Whom an ADD is for, as the runtime and the Kubernetes API describe it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from moorage.cni import annotations, errors, netconf, settings
from moorage.cni.deadline import Deadline
from moorage.cni.host import Host
from moorage.cni.invocation import Invocation

if TYPE_CHECKING:
    from moorage.cni import kubernetes


class Subject(NamedTuple):
    """A pod and its namespace; what nobody describes is empty."""

    pod: annotations.Level
    namespace: annotations.Level
    namespace_labels: Mapping[str, str]


def describe(
    conf: netconf.NetConf,
    call: Invocation,
    cluster: settings.Cluster | None,
    host: Host,
    deadline: Deadline,
) -> Subject:
    """Takes the pod's annotations from the runtime where it passes any, else from the API.

    The namespace is always read from the API: no runtime passes its annotations.

    Raises:
        CniError: as kubernetes.Api.pod, and as kubeconfig.access.
    """
    passed = netconf.pod_annotations(conf)
    if cluster is None or not call.namespace:
        return _subject(call, passed or {}, {}, {})
    with host.kubernetes(cluster, deadline) as api:
        if passed is None:
            passed = _pod(api, call).annotations if call.pod else {}
        namespace = api.namespace(call.namespace)
    return _subject(call, passed, namespace.annotations, namespace.labels)


def _pod(api: "kubernetes.Api", call: Invocation) -> "kubernetes.Metadata":
    found = api.pod(call.namespace, call.pod)
    # The API knows a static pod by its mirror, which has another uid than the kubelet's.
    expected = found.uid if found.is_mirror else call.pod_uid
    if call.pod_uid and found.uid != expected:
        raise errors.CniError(
            errors.Code.TRY_AGAIN_LATER,
            f"pod {call.namespace}/{call.pod} has uid {errors.quote(found.uid)} in the Kubernetes "
            f"API, but this call is for {errors.quote(call.pod_uid)}, which it has replaced",
            "nothing is to be done: the runtime gives up the old pod",
        )
    return found


def _subject(
    call: Invocation,
    pod_annotations: Mapping[str, str],
    namespace_annotations: Mapping[str, str],
    namespace_labels: Mapping[str, str],
) -> Subject:
    pod = f"pod {call.namespace}/{call.pod}" if call.pod else f"container {call.container_id}"
    return Subject(
        pod=annotations.Level(where=pod, annotations=pod_annotations),
        namespace=annotations.Level(
            where=f"namespace {call.namespace}", annotations=namespace_annotations
        ),
        namespace_labels=namespace_labels,
    )
