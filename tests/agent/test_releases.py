"""A DEL while the server is away: it succeeds, and what it was about is released all the same."""

import json
import os
import resource
import signal

import pytest

from agent.node import Node, until
from harness import postgres
from moorage import attempts


def test_what_is_deleted_while_the_server_is_away_is_released_when_it_is_back(node: Node) -> None:
    for container in "abc":
        node.add(container)
    node.way.leave()
    for container in "ab":
        node.delete(container)
    assert node.agent.waiting() == ["a", "b"]
    assert set(node.held().values()) == {"a", "b", "c"}
    node.way.come_back()
    until(lambda: node.agent.waiting() == [])
    assert set(node.held().values()) == {"c"}


def test_once_a_server_is_known_to_be_away_a_release_waits_for_nothing(node: Node) -> None:
    node.add("a")
    node.way.leave()
    node.delete("a")
    assert node.agent.status()["servers_away"] == [node.way.target]
    node.way.come_back()
    # An answer to anybody is the sign that it is back.
    node.add("b")
    until(lambda: node.agent.waiting() == [])
    assert set(node.held().values()) == {"b"}
    assert node.agent.status()["servers_away"] == []


def test_a_release_outlives_an_agent_that_is_killed(node: Node) -> None:
    node.add("a")
    node.way.leave()
    node.delete("a")
    node.agent.kill()
    node.way.come_back()
    assert set(node.held().values()) == {"a"}
    node.agent.start()
    until(lambda: node.agent.waiting() == [])
    assert node.held() == {}


def test_a_release_outlives_an_agent_that_is_stopped(node: Node) -> None:
    node.add("a")
    node.way.leave()
    node.delete("a")
    assert node.agent.stop() == 0
    assert node.agent.waiting() == ["a"]
    node.way.come_back()
    node.agent.start()
    until(lambda: node.agent.waiting() == [])
    assert node.held() == {}


def test_an_agent_that_is_killed_between_add_and_del_is_not_missed(node: Node) -> None:
    node.add("a")
    node.agent.kill()
    assert node.run("DEL", "a").code == 0
    assert node.held() == {}


def test_a_delayed_release_frees_nothing_that_a_later_add_was_given(node: Node) -> None:
    node.add("a")
    node.way.leave()
    node.delete("a")
    # Without the agent, which would have sent the release first.
    node.agent.kill()
    node.way.come_back()
    again = node.run("ADD", "a")
    assert again.code == 0
    held = node.held()
    node.agent.start()
    until(lambda: node.agent.waiting() == [])
    assert node.held() == held != {}
    node.delete("a")
    assert node.held() == {}


def test_a_release_of_an_earlier_boot_frees_nothing_that_was_given_in_this_one(
    node: Node, database: postgres.Database
) -> None:
    node.add("a")
    node.way.leave()
    node.delete("a")
    node.agent.kill()
    # The machine was up for longer then; a container that podman keeps has its id again.
    (kept,) = node.agent.journal.glob("*.json")
    now = attempts.stamp()
    assert now is not None
    kept.write_text(kept.read_text().replace(now.boot_id, "boot-before"))
    database.execute("UPDATE attachments SET boot_id = 'boot-before', assign_boot_id = boot_id")
    node.way.come_back()
    assert node.run("ADD", "a").code == 0
    held = node.held()
    node.agent.start()
    until(lambda: node.agent.waiting() == [])
    assert node.held() == held != {}


def test_a_release_of_an_earlier_boot_is_sent_in_this_one(
    node: Node, database: postgres.Database
) -> None:
    node.add("a")
    node.way.leave()
    node.delete("a")
    node.agent.kill()
    (kept,) = node.agent.journal.glob("*.json")
    now = attempts.stamp()
    assert now is not None
    kept.write_text(kept.read_text().replace(now.boot_id, "boot-before"))
    database.execute("UPDATE attachments SET boot_id = 'boot-before', assign_boot_id = boot_id")
    node.way.come_back()
    node.agent.start()
    until(lambda: node.agent.waiting() == [])
    assert node.held() == {}


def test_an_add_comes_after_the_release_of_the_same_container(node: Node) -> None:
    first = node.add("a")
    node.way.leave()
    node.delete("a")
    node.way.come_back()
    # Had the release not been made first, it would have been the same address.
    assert node.add("a") != first
    assert len(node.held()) == 1
    until(lambda: node.agent.waiting() == [])
    assert len(node.held()) == 1


def test_an_add_that_cannot_send_the_release_before_it_is_try_again_later(node: Node) -> None:
    node.add("a")
    node.way.leave()
    node.delete("a")
    outcome = node.call("ADD", "a", timeout_seconds=0.5)
    assert outcome.error["code"] == 11
    assert node.agent.waiting() == ["a"]


def test_a_release_that_cannot_be_kept_is_try_again_later(node: Node) -> None:
    node.add("a")
    node.way.leave()
    assert node.agent.process is not None
    pid = node.agent.process.pid
    # Whatever it writes is too much from now on, as on a disk that is full.
    everything = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, everything[1]))
    outcome = node.call("DEL", "a", timeout_seconds=0.5)
    assert outcome.error["code"] == 11
    assert "cannot be kept for later" in outcome.text
    assert node.agent.waiting() == []
    resource.prlimit(pid, resource.RLIMIT_FSIZE, everything)
    node.delete("a")
    assert node.agent.waiting() == ["a"]
    node.way.come_back()
    until(lambda: node.held() == {})


@pytest.mark.parametrize("poison", [{"server": ""}, {"server": "a b"}], ids=str)
def test_a_release_that_cannot_be_sent_at_all_holds_up_no_other(
    node: Node, poison: dict[str, object]
) -> None:
    for container in "ab":
        node.add(container)
    node.way.leave()
    for container in "ab":
        node.delete(container)
    node.agent.kill()
    for path in node.agent.journal.glob("*.json"):
        kept = json.loads(path.read_text())
        if kept["container_id"] == "a":
            path.write_text(json.dumps(kept | poison))
            os.utime(path, (0, 0))  # the oldest, which comes first
    node.way.come_back()
    node.agent.start()
    until(lambda: node.agent.waiting() == ["a"])
    assert list(node.held().values()) == ["a"]
    node.delete("a")  # of today, and instead of what cannot be sent
    until(lambda: node.held() == {})


def test_a_refused_release_is_the_runtimes_to_hear(node: Node) -> None:
    outcome = node.call("DEL", "a", vrf="x" * 63)
    assert outcome.code == 0, "there is nothing to release where there is no VRF"
    node.client.create_vrf("other")
    outcome = node.call("DEL", "x" * 128, vrf="other")
    assert outcome.code == 0
    assert node.agent.waiting() == []


def test_a_release_that_cannot_be_read_at_first_is_sent_once_it_can(node: Node) -> None:
    node.add("a")
    node.way.leave()
    node.delete("a")
    node.agent.kill()
    (kept,) = node.agent.journal.glob("*.json")
    hidden = kept.rename(kept.with_suffix(".hidden"))
    kept.symlink_to("/proc/self/mem")  # whose beginning nobody can read: EIO, as on a bad disk
    node.way.come_back()
    node.agent.start()
    assert list(node.held().values()) == ["a"]
    hidden.rename(kept)
    until(lambda: node.held() == {})
    assert "cannot read a release; tries again" in [each["event"] for each in node.agent.events()]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_what_an_agent_took_on_before_it_was_killed_is_never_lost(node: Node, moment: str) -> None:
    containers = [f"c{at}" for at in range(8)]
    for each in containers:
        node.add(each)
    node.way.leave()
    node.ipam["timeout_seconds"] = 1
    started = {each: node.begin("DEL", each) for each in containers}
    if moment == "after":
        until(lambda: bool(node.agent.waiting()))
    assert node.agent.process is not None
    node.agent.process.send_signal(signal.SIGKILL)
    node.agent.process.wait()
    # Of the others the program that needs no agent says that they failed.
    failed = set()
    for name, process in started.items():
        with process:
            if process.wait(timeout=60) != 0:
                failed.add(name)
    assert set(node.agent.waiting()) >= set(containers) - failed
    node.way.come_back()
    node.agent.start()
    until(lambda: node.agent.waiting() == [])
    assert set(node.held().values()) <= failed
