"""What a node says of its pods, held against what the cluster knows, without either."""

import dataclasses

import pytest

from moorage_server.domain import addresses, errors, model, pods

REQUEST = model.AssignRequest(
    attachment=model.AttachmentKey(vrf="default", network="n", container_id="c", interface="eth0"),
    addresses=(model.AddressRequest(family=addresses.Family.IPV4),),
    facts=model.Facts(
        workload=model.Workload(
            node="n1", namespace="shop", pod="web-0", pod_uid="u", namespace_labels={"tier": "said"}
        )
    ),
    bounds=model.Bounds(node="n1"),
)
CLAIM = pods.Claim(node="n1", namespace="shop", name="web-0", uid="u")
KNOWN = pods.Known(cluster="here", is_borne_out=True, namespace_labels={"tier": "known"})


def asking(**workload: str) -> model.AssignRequest:
    theirs = dataclasses.replace(REQUEST.facts.workload, **workload)  # type: ignore[arg-type]
    return dataclasses.replace(REQUEST, facts=dataclasses.replace(REQUEST.facts, workload=theirs))


def owned(owner_key: str, use: model.Use = model.Use.WORKLOAD) -> model.AssignRequest:
    facts = dataclasses.replace(REQUEST.facts, owner_key=owner_key, use=use)
    return dataclasses.replace(REQUEST, facts=facts)


def tunnel(**workload: str) -> model.AssignRequest:
    nobody = asking(**({"namespace": "", "pod": "", "pod_uid": ""} | workload))
    return dataclasses.replace(
        nobody, facts=dataclasses.replace(nobody.facts, use=model.Use.TUNNEL)
    )


@pytest.mark.parametrize("request_", [REQUEST, asking(cluster="here"), owned("shop/web")])
def test_what_is_borne_out_is_served_as_the_cluster_knows_it(
    request_: model.AssignRequest,
) -> None:
    assert pods.claim(request_) == CLAIM
    found = pods.verified(request_, CLAIM, KNOWN)
    assert found.facts.workload.namespace_labels == {"tier": "known"}
    assert found.facts.workload.cluster == "here"
    assert found.facts.owner_key == request_.facts.owner_key


@pytest.mark.parametrize(
    ("pod", "is_so"),
    [
        (pods.Pod(uid="u", node="n1"), True),
        (pods.Pod(uid="u", node="n2"), False),
        (pods.Pod(uid="u", node=""), False),
        (pods.Pod(uid="v", node="n1"), False),
        (pods.Pod(uid="u", node="n1", is_static=True), False),
        (pods.Pod(uid="u", node="n1", is_ending=True), False),
    ],
    ids=["it", "elsewhere", "nowhere", "another", "static", "ending"],
)
def test_a_claim_is_borne_out_by_the_very_pod(pod: pods.Pod, is_so: bool) -> None:
    assert pod.bears_out(CLAIM) is is_so


@pytest.mark.parametrize(
    ("request_", "known"),
    [
        (REQUEST, dataclasses.replace(KNOWN, is_borne_out=False)),
        (REQUEST, dataclasses.replace(KNOWN, namespace_labels=None)),
        (asking(cluster="elsewhere"), KNOWN),
    ],
    ids=["no pod", "no namespace", "another cluster"],
)
def test_what_is_not_so_is_refused_in_the_same_words(
    request_: model.AssignRequest, known: pods.Known
) -> None:
    with pytest.raises(errors.PodNotVerified) as raised:
        pods.verified(request_, CLAIM, known)
    assert raised.value.metadata == {
        "node": "n1",
        "namespace": "shop",
        "pod": "web-0",
        "pod_uid": "u",
    }


@pytest.mark.parametrize(
    "workload",
    [
        {"namespace": ""},
        {"pod": ""},
        {"pod_uid": ""},
        {"pod": "../web"},
        {"pod": "a..b"},
        {"pod": "web/log"},
        {"pod": "web\n"},
        {"pod": "Web"},
        {"namespace": "shop?"},
        {"namespace": "shöp"},
        {"pod": "a" * 254},
    ],
    ids=str,
)
def test_what_no_pod_can_be_called_is_not_asked_for(workload: dict[str, str]) -> None:
    with pytest.raises(errors.PodNotVerified):
        pods.claim(asking(**workload))


def test_what_a_pod_can_be_called_is_asked_for() -> None:
    assert pods.claim(asking(pod="a" * 253))
    assert pods.claim(asking(pod="web-0.x", namespace="9"))


@pytest.mark.parametrize("owner_key", ["bank/web", "shop", "shopping/web"])
def test_an_owner_key_of_others_is_refused(owner_key: str) -> None:
    with pytest.raises(errors.PodNotVerified):
        pods.claim(owned(owner_key))


def test_a_tunnel_is_of_nobody_else() -> None:
    assert pods.claim(tunnel()) is None
    with pytest.raises(errors.PodNotVerified):
        pods.claim(asking(namespace="", pod="", pod_uid=""))
    for workload in ({"namespace": "bank"}, {"pod": "web-0"}, {"pod_uid": "u"}):
        with pytest.raises(errors.PodNotVerified):
            pods.claim(tunnel(**workload))
    assert pods.claim(owned("", model.Use.TUNNEL)) == CLAIM


def test_a_nodes_own_is_of_its_cluster_and_of_no_labels() -> None:
    found = pods.of_node(tunnel(), "here").facts.workload
    assert (found.cluster, found.namespace_labels) == ("here", {})
    with pytest.raises(errors.PodNotVerified):
        pods.of_node(tunnel(cluster="elsewhere"), "here")
