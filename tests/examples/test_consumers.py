"""The examples keep their files exactly right, wherever they are killed."""

import collections
import concurrent.futures
import contextlib
import ipaddress
import itertools
import pathlib
import random
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator

import pytest

import firewall_sets
import moorage
from examples import emitted, programs
from harness import postgres, serving
from harness.calls import IPV4, IPV6, attachment, create_pool, release, want
from moorage import names
from moorage.v1 import resources_pb2 as messages

KILLS = 3
PODS = {
    "cart-0": "cart-0",
    "cart-1": "cart-1",
    "Cart_1": "cart-1-[0-9a-f]{10}",
    "web.front": "web-front-[0-9a-f]{10}",
    "x" * 70: "x{52}-[0-9a-f]{10}",
}
NFT = shutil.which("nft")


def add(client: moorage.Client, container: str, pod: str, tier: str = "front") -> None:
    """An ADD of a sandbox of a pod: another one that has the pod's addresses loses them."""
    client.assign(
        attachment(container),
        [want(IPV4), want(IPV6)],
        workload=messages.Workload(node="n1", namespace="shop", pod=pod, pod_uid=pod),
        labels={"tier": tier},
    )


def sets_held(client: moorage.Client) -> dict[str, list[str]]:
    """What the server says, as sets of pools."""
    found = collections.defaultdict(list)
    for each in client.allocations():  # in order of addresses
        version = ipaddress.ip_address(each.address).version
        found[f"pool-{names.id_of(each.pool)}-v{version}"].append(each.address)
    return dict(found)


def pods_held(client: moorage.Client) -> set[tuple[str, str]]:
    """What the server says, as pods and addresses."""
    return {(each.workload.pod, each.address) for each in client.allocations()}


def filled(text: str) -> dict[str, list[str]]:
    """The sets of a file that have something in them."""
    return {name: each for name, each in emitted.sets(text).items() if each}


def pods_named(text: str) -> set[tuple[str, str]]:
    """The pods and addresses of a zone."""
    return {(_pod(name), address) for name, address in emitted.zone(text).records}


def _pod(name: str) -> str:
    """The pod that a name is of."""
    (pod,) = (pod for pod, expected in PODS.items() if re.fullmatch(rf"{expected}\.shop", name))
    return pod


@pytest.fixture(autouse=True)
def _pools(client: moorage.Client) -> None:
    create_pool(client, "web", "10.0.0.0/28")
    create_pool(client, "web-6", "fd00::/120")


@contextlib.contextmanager
def changing(target: str) -> Iterator[None]:
    """Pods come, are replaced, and go, all the while."""
    stopping = threading.Event()

    def work() -> None:
        with moorage.Client(target, timeout=30) as client:
            for number in range(1_000_000):
                if stopping.wait(0.01):
                    return
                with contextlib.suppress(moorage.Conflict):  # the sandbox has been superseded
                    add(client, f"c{number}", random.choice(list(PODS)))
                    if random.random() < 0.4:
                        release(client, f"c{number}")

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        working = pool.submit(work)
        try:
            yield
        finally:
            stopping.set()
            working.result()


@contextlib.contextmanager
def running(file: pathlib.Path, script: str, *options: str) -> Iterator[programs.Program]:
    """A program that is gone afterwards."""
    program = programs.Program(file, script, *options)
    try:
        yield program
    finally:
        program.process.kill()
        program.process.wait()


def test_killed_at_any_moment_they_go_on_and_end_up_right(
    server: serving.Serving, client: moorage.Client, tmp_path: pathlib.Path
) -> None:
    where = ("--server", server.target)
    zones = []
    with (
        running(tmp_path / "fw.nft", "firewall_sets.py", *where) as firewall,
        running(tmp_path / "pods", "dns_zone.py", "--zone", "pods.example", *where) as dns,
    ):
        firewall.until(lambda: firewall.text() != "")
        dns.until(lambda: dns.text() != "")
        with changing(server.target):
            for _ in range(KILLS):
                firewall.kill()
                dns.kill()
                emitted.sets(firewall.text())
                zones.append(dns.text())
                _go_on(firewall, dns)
        held, pods = sets_held(client), pods_held(client)
        firewall.until(lambda: filled(firewall.text()) == held)
        dns.until(lambda: pods_named(dns.text()) == pods)
        zones.append(dns.text())
        assert (firewall.end(), dns.end()) == (0, 0)
    for before, after in itertools.pairwise(zones):
        assert before == after or emitted.zone(before).serial < emitted.zone(after).serial


def _go_on(*killed: programs.Program) -> None:
    """Begins programs again, which are to go on from what they had saved, without a snapshot."""
    saved = [each.saved() for each in killed]
    for each in killed:
        each.begin()
    for program, revision in zip(killed, saved, strict=True):
        program.wait_for(f"resuming behind revision {revision}\n")
        program.wait_beyond(revision)
        assert "snapshot" not in program.said()


def test_nft_takes_what_is_written(tmp_path: pathlib.Path) -> None:
    sets: firewall_sets.Sets = {
        "pool-web-v4": [ipaddress.ip_address("10.0.0.9"), ipaddress.ip_address("10.0.0.10")],
        "label-tier-9-v6": [ipaddress.ip_address("fd00::")],
        "pool-x--y-v6": [],
    }
    file = tmp_path / "fw.nft"
    file.write_text(f"{firewall_sets.HEADER}\n{firewall_sets.text('moorage-default', sets)}")
    assert emitted.sets(file.read_text())["pool-web-v4"] == ["10.0.0.9", "10.0.0.10"]
    if NFT is None:
        pytest.skip("nft is not installed; the strict reader of the tests takes it")
    done = subprocess.run([NFT, "-c", "-f", file], capture_output=True, text=True, check=False)
    if "Operation not permitted" in done.stderr:
        pytest.skip(f"nft may not be run: {done.stderr}")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_set_that_gets_empty_stays_to_be_emptied(
    server: serving.Serving, client: moorage.Client, tmp_path: pathlib.Path
) -> None:
    add(client, "c1", "cart-0")
    once = _once(tmp_path / "fw.nft", "firewall_sets.py", server.target, "--label", "tier")
    assert emitted.sets(once) == {
        "label-tier-front-v4": ["10.0.0.0"],
        "label-tier-front-v6": ["fd00::"],
    }
    release(client, "c1")
    add(client, "c2", "cart-0", tier="back")
    with running(
        tmp_path / "fw.nft", "firewall_sets.py", "--server", server.target, "--label", "tier"
    ) as firewall:
        firewall.until(lambda: "label-tier-back-v4" in filled(firewall.text()))
    assert emitted.sets(firewall.text()) == {
        "label-tier-back-v4": ["10.0.0.1"],
        "label-tier-back-v6": ["fd00::1"],
        "label-tier-front-v4": [],
        "label-tier-front-v6": [],
    }


def test_what_stays_as_it_was_is_not_written_again(
    server: serving.Serving, client: moorage.Client, tmp_path: pathlib.Path
) -> None:
    options = ("--zone", "Pods.example", "--ttl", "7", "--name-server", "ns.example")
    add(client, "c1", "cart-0")
    first = _once(tmp_path / "pods", "dns_zone.py", server.target, *options)
    written = (tmp_path / "pods").stat().st_ino
    assert _once(tmp_path / "pods", "dns_zone.py", server.target, *options) == first
    assert (tmp_path / "pods").stat().st_ino == written
    told = emitted.zone(first)
    assert (told.origin, told.ttl) == ("pods.example.", 7)
    assert told.records == [("cart-0.shop", "10.0.0.0"), ("cart-0.shop", "fd00::")]


def test_a_history_that_was_restored_replaces_the_file(
    server: serving.Serving,
    client: moorage.Client,
    database: postgres.Database,
    tmp_path: pathlib.Path,
) -> None:
    add(client, "c1", "cart-0")
    old = emitted.zone(_once(tmp_path / "pods", "dns_zone.py", server.target, "--zone", "a"))
    database.execute("UPDATE vrfs SET epoch = gen_random_uuid()")
    release(client, "c1")
    with running(
        tmp_path / "pods", "dns_zone.py", "--zone", "a", "--server", server.target
    ) as program:
        program.until(lambda: emitted.zone(program.text()).records == [])
        assert program.said().index("resuming") < program.said().index("beginning with a snapshot")
        add(client, "c2", "cart-1")
        program.until(lambda: len(emitted.zone(program.text()).records) == 2)
        assert program.end() == 0
    assert emitted.zone(program.text()).serial > old.serial


def _once(file: pathlib.Path, script: str, target: str, *options: str) -> str:
    """The file, when the program has written it and left."""
    with running(file, script, "--once", "--server", target, *options) as program:
        assert program.process.wait(timeout=programs.PATIENCE) == 0, program.said()
    return program.text()


def _refused(file: pathlib.Path, *options: str) -> str:
    """What the program says before it fails."""
    with running(file, "dns_zone.py", "--once", *options) as program:
        assert program.process.wait(timeout=programs.PATIENCE) in (1, 2), program.said()
    return program.said()


def test_what_cannot_be_done_is_said(server: serving.Serving, tmp_path: pathlib.Path) -> None:
    where = ("--server", server.target)
    foreign = tmp_path / "named.conf"
    foreign.write_text("options {};\n")
    assert "was written by something else" in _refused(foreign, "--zone", "a", *where)
    assert foreign.read_text() == "options {};\n"
    assert 'no VRF "blue"' in _refused(tmp_path / "a", "--zone", "a", "--vrf", "blue", *where)
