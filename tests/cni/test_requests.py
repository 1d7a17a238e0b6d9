"""What the server is asked: every part of a request, as it arrives there."""

import grpc
import pytest
from google.protobuf import duration_pb2

from cni import program, scripted
from moorage.v1 import allocation_service_pb2, filter_pb2, resources_pb2

V4, V6 = resources_pb2.IP_FAMILY_IPV4, resources_pb2.IP_FAMILY_IPV6


@pytest.fixture(autouse=True)
def _answering(script: scripted.Script) -> None:
    script.allocations = [resources_pb2.Allocation(address="10.0.0.7", prefix_length=32)]


def add(
    script: scripted.Script, config: dict[str, object], cni_args: str = program.POD_ARGS
) -> allocation_service_pb2.AssignAddressesRequest:
    ipam = config["ipam"]
    assert isinstance(ipam, dict)
    ipam |= {"server": script.target, "timeout_seconds": 10}
    outcome = program.run("ADD", config, environment={"CNI_ARGS": cni_args})
    assert (outcome.code, outcome.stderr) == (0, b""), outcome
    return script.assigned[-1]


def test_an_add_says_who_wants_the_addresses(script: scripted.Script) -> None:
    request = add(script, program.config(ipam={"vrf": "blue", "nodename": "n1"}))
    assert request.parent == "vrfs/blue"
    assert request.attachment == resources_pb2.Attachment(
        network="pods", container_id="c0ffee", interface="eth0"
    )
    assert request.workload == resources_pb2.Workload(
        node="n1", namespace="shop", pod="web-0", pod_uid="u-1"
    )
    assert request.attempt.boot_id
    assert request.attempt.boot_time_ns > 0
    assert list(request.addresses) == [allocation_service_pb2.AddressRequest(family=V4)]


def test_an_add_of_podman_has_a_name_and_no_namespace(script: scripted.Script) -> None:
    request = add(script, program.config(), "IgnoreUnknown=1;K8S_POD_NAME=web")
    assert (request.workload.pod, request.workload.namespace) == ("web", "")


def test_an_add_without_any_arguments_is_for_an_unknown_workload(script: scripted.Script) -> None:
    request = add(script, program.config(ipam={"nodename": "n1"}), "")
    assert request.workload == resources_pb2.Workload(node="n1")


def test_an_add_says_of_which_cluster_the_pod_is(script: scripted.Script) -> None:
    request = add(script, program.config(ipam={"cluster": "uid-1"}))
    assert request.workload.cluster == "uid-1"
    assert add(script, program.config(ipam={"cluster": None})).workload.cluster == ""


def test_pools_come_with_their_family(script: scripted.Script) -> None:
    ipam = {"assign_ipv6": "true", "ipv4_pools": ["a", "10.0.0.0/8"], "ipv6_pools": ["b"]}
    assert list(add(script, program.config(ipam=ipam)).addresses) == [
        allocation_service_pb2.AddressRequest(family=V4, pools=["a", "10.0.0.0/8"]),
        allocation_service_pb2.AddressRequest(family=V6, pools=["b"]),
    ]


def test_annotated_addresses_are_candidates_of_one_request_per_family(
    script: scripted.Script,
) -> None:
    passed = {
        "cni.projectcalico.org/ipAddrs": '["10.0.0.2","FD00::1","10.0.0.1"]',
        "moorage.dev/owner": "web-0",
    }
    request = add(script, program.annotated(passed))
    assert list(request.addresses) == [
        allocation_service_pb2.AddressRequest(
            family=V4, candidate_addresses=["10.0.0.2", "10.0.0.1"]
        ),
        allocation_service_pb2.AddressRequest(family=V6, candidate_addresses=["fd00::1"]),
    ]
    assert request.owner_key == "shop/web-0"


def test_annotated_patience_and_retention_are_asked_for(script: scripted.Script) -> None:
    passed = {"moorage.dev/owner": "web-0", "moorage.dev/wait": "30s", "moorage.dev/sticky": "2h"}
    request = add(script, program.annotated(passed))
    assert request.wait == duration_pb2.Duration(seconds=30)
    assert request.sticky == duration_pb2.Duration(seconds=7200)
    plain = add(script, program.config())
    assert not plain.HasField("wait")
    assert not plain.HasField("sticky")


def test_an_address_in_cni_args_wins_over_annotations_and_pools(script: scripted.Script) -> None:
    passed = {"cni.projectcalico.org/ipAddrs": '["10.0.0.2"]'}
    config = program.annotated(passed, {"ipv4_pools": ["a"]})
    request = add(script, config, program.POD_ARGS + ";IP=10.0.0.9")
    assert list(request.addresses) == [
        allocation_service_pb2.AddressRequest(family=V4, candidate_addresses=["10.0.0.9"])
    ]


def test_a_pod_name_that_is_no_text_is_refused(script: scripted.Script) -> None:
    config = program.config(ipam={"server": script.target})
    for name in ("a\nb", b"\xff".decode(errors="surrogateescape")):
        outcome = program.run("ADD", config, environment={"CNI_ARGS": f"K8S_POD_NAME={name}"})
        assert outcome.error["code"] == 4
        assert "K8S_POD_NAME" in outcome.text
    assert script.assigned == []


def test_a_release_names_the_attachment_alone(script: scripted.Script) -> None:
    config = program.config(ipam={"server": script.target, "vrf": "blue"})
    for _ in range(2):
        outcome = program.run("DEL", config, without=("CNI_NETNS", "CNI_PATH"))
        assert (outcome.code, outcome.stdout, outcome.stderr) == (0, b"", b"")
    assert [request.parent for request in script.released] == ["vrfs/blue"] * 2
    assert script.released[0].attachment == resources_pb2.Attachment(
        network="pods", container_id="c0ffee", interface="eth0"
    )
    assert script.released[0].attempt.boot_time_ns > 0


def test_a_try_again_of_the_client_carries_the_stamp_of_the_first(
    script: scripted.Script,
) -> None:
    def fail_once(context: grpc.ServicerContext) -> None:
        script.abort = None
        scripted.refusal(grpc.StatusCode.UNAVAILABLE, "later")(context)

    script.abort = fail_once
    add(script, program.config())
    first, second = script.assigned
    assert first == second


def test_check_lists_what_this_attachment_holds(script: scripted.Script) -> None:
    rest = {"prevResult": {"ips": [{"address": "10.0.0.7/24"}]}}
    config = program.config(ipam={"server": script.target}, rest=rest)
    outcome = program.run("CHECK", config)
    assert (outcome.code, outcome.stdout, outcome.stderr) == (0, b"", b"")
    assert script.listed[0].filter == filter_pb2.AllocationFilter(
        attachment=resources_pb2.Attachment(network="pods", container_id="c0ffee", interface="eth0")
    )
    script.allocations = []
    outcome = program.run("CHECK", config)
    assert outcome.error["code"] == 105
    assert "10.0.0.7 is configured but not assigned" in outcome.text
