"""GC: what a runtime's list lacks is released, two lists and a grace later, and nothing else."""

from collections.abc import Callable, Sequence

import grpc
import pytest

import moorage
from cni import program, scripted
from harness import postgres, serving
from harness.calls import create_pool
from harness.reconciling import pass_time, suspects, worked_on
from moorage import attempts

pytestmark = pytest.mark.usefixtures("host")

Call = Callable[..., program.Outcome]


@pytest.fixture
def call(server: serving.Serving, client: moorage.Client) -> Call:
    """Calls the installed plugin as the runtime of a node does."""
    create_pool(client, "four", "10.0.0.0/24")

    def run(
        verb: str, container: str = "", *, valid: Sequence[str] | None = None, node: str = "n1"
    ) -> program.Outcome:
        ipam: dict[str, object] = {"server": server.target, "timeout_seconds": 20, "nodename": node}
        listed = [{"containerID": each, "ifname": "eth0"} for each in valid or ()]
        rest = {"cni.dev/valid-attachments": listed, "cni.dev/attachments": listed}
        config = program.config("1.1.0", ipam, rest if valid is not None else {})
        return program.run(verb, config, environment={"CNI_CONTAINERID": container or "x"})

    return run


def gc(call: Call, *valid: str, node: str = "n1") -> None:
    """One GC that succeeds, in silence."""
    outcome = call("GC", valid=valid, node=node)
    assert (outcome.code, outcome.stdout, outcome.stderr) == (0, b"", b""), outcome


def age(database: postgres.Database) -> None:
    """Makes every ADD one that began when the machine did."""
    database.execute("UPDATE attachments SET boot_time_ns = 1")


def held(client: moorage.Client) -> list[str]:
    """Who holds addresses."""
    return sorted(each.attachment.container_id for each in client.allocations())


def test_what_is_not_valid_any_more_is_released_by_the_second_list(
    call: Call, client: moorage.Client, database: postgres.Database
) -> None:
    for container in ("a", "b", "c"):
        assert call("ADD", container).code == 0
    assert call("ADD", "elsewhere", node="n2").code == 0
    age(database)
    gc(call, "a", "b")
    assert suspects(client) == {"c"}
    pass_time(database)
    gc(call, "a", "b")
    assert held(client) == ["a", "b", "elsewhere"]
    gc(call)
    assert suspects(client) == {"a", "b"}


def test_an_add_of_the_last_minutes_may_be_missing_from_any_list(
    call: Call, client: moorage.Client, database: postgres.Database
) -> None:
    assert call("ADD", "young").code == 0
    for _ in range(2):
        gc(call)
        pass_time(database)
    assert (held(client), suspects(client)) == (["young"], set())


def test_without_a_list_nothing_is_known_to_be_gone(
    call: Call, client: moorage.Client, database: postgres.Database
) -> None:
    assert call("ADD", "a").code == 0
    age(database)
    for _ in range(2):
        assert call("GC").code == 0
        pass_time(database)
    assert (held(client), suspects(client)) == (["a"], set())


def test_what_could_not_be_done_is_try_again_later(
    call: Call, client: moorage.Client, database: postgres.Database
) -> None:
    for container in ("a", "b"):
        assert call("ADD", container).code == 0
    age(database)
    gc(call)
    pass_time(database)
    with worked_on(database, "a"):
        outcome = call("GC", valid=[])
    assert outcome.error["code"] == 11
    assert "left 1 attachments of this node as they were" in outcome.text
    assert held(client) == ["a"]


def test_a_vrf_that_is_not_there_has_nothing_to_collect(server: serving.Serving) -> None:
    config = program.config(
        "1.1.0",
        {"server": server.target, "vrf": "nowhere", "nodename": "n1"},
        {"cni.dev/valid-attachments": []},
    )
    outcome = program.run("GC", config)
    assert (outcome.code, outcome.stdout) == (0, b"")


def test_a_list_beyond_every_limit_is_refused_as_a_whole(
    call: Call, client: moorage.Client
) -> None:
    outcome = call("GC", valid=[f"c{at}" for at in range(4097)])
    assert outcome.error["code"] == 102
    assert "4096" in outcome.text


def listing(script: scripted.Script, seconds: float) -> program.Outcome:
    """A GC that is answered as the test has written down."""
    ipam = {"server": script.target, "timeout_seconds": seconds, "nodename": "n1"}
    ipam["cluster"] = "uid-1"
    rest = {"cni.dev/valid-attachments": [{"containerID": "c1", "ifname": "eth0"}]}
    return program.run("GC", program.config("1.1.0", ipam, rest))


def test_the_list_goes_to_the_server_as_one_of_five_minutes_ago(script: scripted.Script) -> None:
    before = attempts.stamp(ago=300)
    assert listing(script, seconds=90).code == 0
    after = attempts.stamp(ago=300)
    (asked,) = script.reconciled
    assert (asked.node, asked.network, asked.cluster) == ("n1", "pods", "uid-1")
    assert [(each.container_id, each.interface) for each in asked.attachments] == [("c1", "eth0")]
    assert before is not None
    assert after is not None
    assert asked.attempt.boot_id == before.boot_id
    assert before.boot_time_ns <= asked.attempt.boot_time_ns <= after.boot_time_ns
    # Whatever the configuration allows: CRI-O gives 30 seconds.
    assert script.seconds_left[0] <= 25


@pytest.mark.parametrize("code", ["UNAVAILABLE", "NOT_FOUND", "UNIMPLEMENTED", "INTERNAL"])
def test_no_failed_gc_says_what_a_runtime_takes_for_success(
    code: str, script: scripted.Script
) -> None:
    said = "name Not Found: no such file or directory"
    script.abort = scripted.refusal(grpc.StatusCode[code], said)
    text = listing(script, seconds=0.5).text.lower()
    assert "not found" not in text
    assert "no such file or directory" not in text
