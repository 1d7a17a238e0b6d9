"""Sandboxes of one pod, through the plugin: the newest has its address, and no other has any."""

import concurrent.futures
import itertools
import json
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from cni.fleet import ADDRS, OWNER, STICKY, Fleet, Sandbox
from harness import postgres
from harness.calls import attachment, create_pool
from harness.kube import api_server
from moorage.v1 import resources_pb2

pytestmark = pytest.mark.usefixtures("host")

# What a pod may ask for, whose own address then outlives its sandbox or does not.
ASKING: Mapping[str, Mapping[str, str]] = {
    "any": {},
    "fixed": {ADDRS: '["10.0.0.7"]'},
    "kept": {OWNER: "kept", STICKY: "1h"},
}

LONG = 10**18  # ns; no machine has been up for thirty years


def sandbox(of: str, which: str) -> Sandbox:
    """The old or the new sandbox of a pod."""
    return Sandbox(container=f"{of}-{which}", pod=of, uid=f"u-{of}", annotations=ASKING.get(of, {}))


@pytest.mark.parametrize(("deleted", "times"), [("late", 1), ("twice", 2), ("never", 0)])
def test_a_sandbox_that_is_made_again_has_the_address_whenever_the_old_one_goes(
    deleted: str, times: int, fleet: Fleet
) -> None:
    create_pool(fleet.client, "a", "10.0.0.0/24")
    for pod in ASKING:
        old, new = sandbox(pod, "old"), sandbox(pod, "new")
        installed = (pod, deleted) == ("any", "late")
        address = fleet.add(old, installed=installed)
        assert fleet.add(new, installed=installed) == address
        for _ in range(times):
            fleet.delete(old, installed=installed)
        assert fleet.add(new) == address
        assert fleet.held()[address] == f"{pod}-new"
        assert fleet.story(address) == [f"{pod}-old SUPERSEDED", f"{pod}-new"]
    assert len(fleet.held()) == len(ASKING)


def test_one_that_is_made_after_the_old_one_went_has_the_address_if_it_is_the_pods_own(
    fleet: Fleet,
) -> None:
    create_pool(fleet.client, "a", "10.0.0.0/24")
    given = {pod: fleet.add(sandbox(pod, "old"), installed=pod == "any") for pod in ASKING}
    assert given == {"any": "10.0.0.0", "fixed": "10.0.0.7", "kept": "10.0.0.1"}
    for pod in ASKING:
        fleet.delete(sandbox(pod, "old"), installed=pod == "any")
    again = {pod: fleet.add(sandbox(pod, "new")) for pod in ASKING}
    # What is free again waits at the end of its queue.
    assert again == given | {"any": "10.0.0.2"}
    for pod in ASKING:
        fleet.delete(sandbox(pod, "old"))
    assert fleet.held() == {again[pod]: f"{pod}-new" for pod in ASKING}
    assert fleet.story("10.0.0.0") == ["any-old REQUESTED"]
    for pod in ("fixed", "kept"):
        assert fleet.story(given[pod]) == [f"{pod}-old REQUESTED", f"{pod}-new"]


@pytest.fixture
def api(tmp_path: Path) -> Iterator[api_server.ApiServer]:
    """A Kubernetes API that an ADD asks after it has begun, and so may hang on."""
    with api_server.serve(tmp_path) as server:
        server.add("Namespace", "shop")
        server.granted = {("get", "", "namespaces"), ("get", "", "pods")}
        yield server


@pytest.mark.parametrize("new_is_gone", [False, True])
def test_an_add_of_the_old_sandbox_that_hung_is_refused_and_leaves_nothing(
    new_is_gone: bool,
    fleet: Fleet,
    api: api_server.ApiServer,
    threads: concurrent.futures.ThreadPoolExecutor,
) -> None:
    create_pool(fleet.client, "a", "10.0.0.0/24")
    hung, on = threading.Event(), threading.Event()

    def hang(handler: api_server.Handler) -> None:
        if "?" in handler.path:
            handler.proceed()  # an agent that would like to watch
            return
        hung.set()
        assert on.wait(20)
        handler.answer(200, json.dumps(api.objects[handler.path]).encode())

    api.misbehave = hang
    old, new = Sandbox(container="old", kubernetes=api.settings), Sandbox(container="new")
    adding = threads.submit(fleet.refused, old, installed=True)
    assert hung.wait(20)
    address = fleet.add(new)
    if new_is_gone:
        fleet.delete(new)
    on.set()
    said = adding.result()
    assert said.startswith("102 ")
    assert "ATTACHMENT_SUPERSEDED: a newer sandbox of the pod of attachment old (eth0)" in said
    assert "let the old sandbox go" in said
    fleet.delete(old, installed=new_is_gone)
    assert fleet.held() == ({} if new_is_gone else {address: "new"})
    assert fleet.story(address) == ["new REQUESTED" if new_is_gone else "new"]


def test_an_old_sandbox_that_is_added_again_is_the_newest(fleet: Fleet) -> None:
    create_pool(fleet.client, "a", "10.0.0.0/24")
    old, new = Sandbox(container="old"), Sandbox(container="new")
    address = fleet.add(old, installed=True)
    assert [fleet.add(each) for each in (new, old)] == [address] * 2
    fleet.delete(new)
    assert fleet.held() == {address: "old"}
    fleet.delete(old, installed=True)
    assert fleet.held() == {}
    assert fleet.story(address) == ["old SUPERSEDED", "new SUPERSEDED", "old REQUESTED"]


@pytest.mark.parametrize("deleted", ["late", "never"])
def test_after_a_reboot_every_pod_has_its_address_in_a_new_sandbox(
    deleted: str, fleet: Fleet, database: postgres.Database
) -> None:
    create_pool(fleet.client, "a", "10.0.0.0/30")
    pods = ("web-0", "web-1", "web-2", "web-3")
    one = "web-0" if deleted == "late" else ""
    before = {fleet.add(sandbox(pod, "old"), installed=pod == one): pod for pod in pods}
    # All that was of the boot before, when the machine had been up for longer than now.
    database.execute(
        "UPDATE attachments SET boot_id = 'before', boot_time_ns = :long,"
        " assign_boot_id = 'before', assign_boot_time_ns = :long",
        long=LONG,
    )
    for pod in pods:
        assert before[fleet.add(sandbox(pod, "new"), installed=pod == one)] == pod
        if deleted == "late":
            fleet.delete(sandbox(pod, "old"), installed=pod == one)
    # One that was sent before may still come.
    sent = resources_pb2.AttemptStamp(boot_id="before", boot_time_ns=LONG + 1)
    assert fleet.client.release(attachment("web-1-old"), attempt=sent) == []
    assert fleet.held() == {address: f"{pod}-new" for address, pod in before.items()}
    for address, pod in before.items():
        assert fleet.story(address) == [f"{pod}-old SUPERSEDED", f"{pod}-new"]


@pytest.mark.parametrize("order", list(itertools.permutations(("one", "two"))), ids="-".join)
def test_of_two_that_are_added_at_the_same_time_one_has_the_address_and_after_both_went_none(
    order: tuple[str, str], fleet: Fleet, threads: concurrent.futures.ThreadPoolExecutor
) -> None:
    create_pool(fleet.client, "a", "10.0.0.0/24")
    sandboxes = {name: Sandbox(container=name) for name in order}
    barrier = threading.Barrier(2)

    def add(sandbox: Sandbox) -> bool:
        barrier.wait()
        outcome = fleet.call("ADD", sandbox, installed=True)
        # It began first, and arrived last.
        assert outcome.code == 0 or "ATTACHMENT_SUPERSEDED" in outcome.text
        return outcome.code == 0

    given = dict(zip(order, threads.map(add, sandboxes.values()), strict=True))
    (holder,) = fleet.held().values()
    assert given[holder]
    fleet.delete(sandboxes[order[0]], installed=True)
    assert list(fleet.held().values()) == [holder] * (holder == order[1])
    fleet.delete(sandboxes[order[1]])
    assert fleet.held() == {}
    told = fleet.story("10.0.0.0")
    assert told[-1] == f"{holder} REQUESTED"
    assert len(told) == sum(given.values())
