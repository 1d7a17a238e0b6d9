"""What is put on a node, by whom it may be changed, and what is left when it is taken away."""

import concurrent.futures
import json
import os
import pathlib
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import yaml

from cni import agents
from moorage.cni import kubeconfig, settings
from moorage.install import credentials, errors, installation, launcher, network, pieces

CONFLIST = {
    "cniVersion": "1.0.0",
    "name": "pods",
    "plugins": [
        {
            "type": "bridge",
            "ipam": {"type": "moorage", "server": "unix:///run/m.sock", "cluster": "uid-1"},
        }
    ],
}
SERVER = "https://127.0.0.1:6443"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """The directories of a node, and what an administrator has prepared."""

    places: installation.Places
    conflist: pathlib.Path
    account: pathlib.Path

    def install(self, *, force: bool = False, content: bytes | None = None) -> dict[str, str]:
        told = installation.install(
            self.places,
            listed=network.Network(source=self.conflist),
            account=installation.Account(folder=self.account, server=SERVER),
            program=content or launcher.direct(pathlib.Path(sys.executable)),
            force=force,
        )
        return {path.name: outcome.value for path, outcome in told}

    def uninstall(self) -> dict[str, str]:
        return {path.name: outcome.value for path, outcome in installation.uninstall(self.places)}

    def files(self) -> set[str]:
        folders = (self.places.bin_dir, self.places.conf_dir)
        return {path.name for folder in folders for path in folder.iterdir()}

    def command(self, verb: str, *options: str, umask: int = 0o022) -> subprocess.Popen[str]:
        where = ("--bin-dir", str(self.places.bin_dir), "--conf-dir", str(self.places.conf_dir))
        return subprocess.Popen(
            (agents.PROGRAM, verb, *where, *options),
            umask=umask,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def node(tmp_path: pathlib.Path) -> Node:
    for folder in ("bin", "net.d", "account"):
        (tmp_path / folder).mkdir()
    (tmp_path / "network.json").write_text(json.dumps(CONFLIST))
    for name, content in {"token": "t-1\n", "ca.crt": "PEM\n", "namespace": "moorage"}.items():
        (tmp_path / "account" / name).write_text(content)
    return Node(
        places=installation.Places(bin_dir=tmp_path / "bin", conf_dir=tmp_path / "net.d"),
        conflist=tmp_path / "network.json",
        account=tmp_path / "account",
    )


def _mode(path: pathlib.Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


_REPLACER = """
import itertools, pathlib, sys
from moorage.install import pieces

program = pathlib.Path(sys.argv[1])
found = program.read_bytes()
for content in itertools.cycle([found + b"# newer\\n", found]):
    pieces.put(pieces.Piece(path=program, content=content, mode=0o755))
    print("replaced", flush=True)
"""


def _call(program: pathlib.Path, verb: str = "VERSION") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [program], env={"CNI_COMMAND": verb}, input=b"{}", capture_output=True, check=False
    )


def test_what_is_installed_is_told_and_has_the_mode_that_it_needs(node: Node) -> None:
    assert node.install() == {
        "moorage-kubeconfig": "created",
        "moorage": "created",
        "10-moorage.conflist": "created",
    }
    assert _mode(node.places.program) == 0o755
    assert _mode(node.places.network) == 0o644
    assert _mode(node.places.kubeconfig) == 0o600
    assert node.places.network.read_bytes() == node.conflist.read_bytes()


def test_what_is_as_it_should_be_is_left_alone(node: Node) -> None:
    node.install()
    before = node.places.program.stat()
    assert set(node.install().values()) == {"unchanged"}
    after = node.places.program.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_a_new_release_replaces_what_the_old_one_has_put_there(node: Node) -> None:
    node.install(content=b"#!/bin/false\n")
    told = node.install()
    assert told["moorage"] == "configured"
    assert told["10-moorage.conflist"] == "unchanged"
    assert _call(node.places.program).returncode == 0


def test_a_wrong_mode_is_set_right(node: Node) -> None:
    node.install()
    node.places.kubeconfig.chmod(0o644)
    assert node.install()["moorage-kubeconfig"] == "configured"
    assert _mode(node.places.kubeconfig) == 0o600


def test_the_installed_program_answers_a_runtime_whose_environment_is_hostile(node: Node) -> None:
    node.install()
    environment = {"CNI_COMMAND": "VERSION", "PYTHONPATH": "/nowhere", "PYTHONHOME": "/nowhere"}
    done = subprocess.run(
        [node.places.program], env=environment, input=b"{}", capture_output=True, check=True
    )
    assert "1.1.0" in json.loads(done.stdout)["supportedVersions"]
    assert done.stderr == b""


def test_the_program_of_a_node_with_an_agent_needs_no_package_to_say_what_is_missing(
    node: Node, tmp_path: pathlib.Path
) -> None:
    bare = tmp_path / "python3"
    bare.symlink_to(pathlib.Path(sys.executable).resolve())
    node.install(content=launcher.forwarding(bare, tmp_path / "agent.sock"))
    told = _call(node.places.program)
    assert "1.1.0" in json.loads(told.stdout)["supportedVersions"]
    assert (told.returncode, told.stderr) == (0, b"")
    failed = _call(node.places.program, "STATUS")
    assert "moorage-agent gives no answer" in json.loads(failed.stdout)["msg"]
    assert (failed.returncode, failed.stderr) == (1, b"")


def test_the_program_of_a_node_with_an_agent_has_its_calls_answered_by_it(
    node: Node, tmp_path: pathlib.Path
) -> None:
    bare = pathlib.Path(sys.executable).resolve()
    folder = tmp_path / "agent"
    folder.mkdir()
    agent = agents.Agent(folder)
    agent.start()
    try:
        node.install(content=launcher.forwarding(bare, agent.socket))
        done = _call(node.places.program)
    finally:
        agent.stop()
    assert "1.1.0" in json.loads(done.stdout)["supportedVersions"]
    assert (done.returncode, done.stderr) == (0, b"")


def test_what_somebody_else_has_put_there_is_refused_and_kept(node: Node) -> None:
    node.places.network.write_text("{}")
    with pytest.raises(errors.InstallError, match=r"10-moorage\.conflist is there.*--force"):
        node.install()
    assert node.places.network.read_text() == "{}"
    assert node.install(force=True)["10-moorage.conflist"] == "configured"


def test_what_somebody_has_changed_since_is_neither_overwritten_nor_removed(node: Node) -> None:
    node.install()
    node.places.network.write_text("{}")
    with pytest.raises(errors.InstallError, match="remove it, or say --force"):
        node.install()
    told = node.uninstall()
    assert told["10-moorage.conflist"].startswith("kept")
    assert told["moorage"] == "removed"
    assert node.places.network.read_text() == "{}"


def test_uninstalling_leaves_the_directories_as_they_were(node: Node) -> None:
    (node.places.bin_dir / "bridge").write_text("another plugin")
    (node.places.conf_dir / "20-other.conflist").write_text("another network")
    before = node.files()
    node.install()
    assert set(node.uninstall().values()) == {"removed"}
    assert node.files() == before
    assert set(node.uninstall().values()) == {"absent"}


def test_an_installer_that_was_killed_halfway_leaves_nothing_that_the_next_one_stumbles_over(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(pathlib.Path, "replace", die)
        with pytest.raises(KeyboardInterrupt):
            node.install()
    assert not node.places.program.exists()
    assert node.install()["moorage"] == "created"
    node.uninstall()
    assert node.files() == set()


@pytest.mark.parametrize("before", range(6))
def test_whatever_a_killed_installer_has_left_is_uninstalled(
    node: Node, monkeypatch: pytest.MonkeyPatch, before: int
) -> None:
    replace = pathlib.Path.replace
    left = iter(range(before))

    def die(path: pathlib.Path, target: pathlib.Path) -> pathlib.Path:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return replace(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(pathlib.Path, "replace", die)
        with pytest.raises(KeyboardInterrupt):
            node.install()
    assert node.files() != set()
    node.uninstall()
    assert node.files() == set()


@pytest.mark.parametrize("old", [b"#!/bin/false\n", None], ids=["old", "none"])
def test_a_crash_between_the_record_and_the_file_is_no_change_by_others(
    node: Node, monkeypatch: pytest.MonkeyPatch, old: bytes | None
) -> None:
    if old is not None:
        node.install(content=old)
    piece = pieces.Piece(path=node.places.program, content=b"#!/bin/true\n", mode=0o755)
    replace = pathlib.Path.replace

    def die(path: pathlib.Path, target: pathlib.Path) -> pathlib.Path:
        if target == piece.path:
            raise KeyboardInterrupt
        return replace(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(pathlib.Path, "replace", die)
        with pytest.raises(KeyboardInterrupt):
            pieces.put(piece)
    assert pieces.put(piece) in (pieces.Outcome.CREATED, pieces.Outcome.CONFIGURED)


def test_no_call_fails_while_the_program_is_replaced(node: Node) -> None:
    node.install()
    program = node.places.program
    # In a process of its own: a caller that is forked from here would hold what is being written.
    with (
        subprocess.Popen(
            [sys.executable, "-c", _REPLACER, program], stdout=subprocess.PIPE
        ) as replacer,
        concurrent.futures.ThreadPoolExecutor(4) as threads,
    ):
        assert replacer.stdout is not None
        assert replacer.stdout.readline() == b"replaced\n"
        calls = list(threads.map(_call, [program] * 12))
        assert replacer.poll() is None
        replacer.terminate()
    assert {each.returncode for each in calls} == {0}, calls


def test_two_installers_at_once_both_succeed(node: Node) -> None:
    barrier = threading.Barrier(4)

    def install(content: bytes) -> None:
        barrier.wait()
        for _ in range(5):
            node.install(content=content)

    contents = [f"#!/bin/true\n# {number}\n".encode() for number in range(4)]
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        list(threads.map(install, contents))
    assert node.places.program.read_bytes() in contents
    assert node.uninstall()["moorage"] == "removed"


@pytest.mark.parametrize(
    ("why", "spoil"),
    [
        ("does not exist; make it", lambda folder: folder.rmdir()),
        ("is no directory", lambda folder: (folder.rmdir(), folder.write_text("a file"))),
    ],
    ids=["missing", "a file"],
)
def test_a_directory_that_cannot_be_used_is_named_with_what_to_do(
    node: Node, why: str, spoil: Callable[[pathlib.Path], object]
) -> None:
    spoil(node.places.bin_dir)
    with pytest.raises(errors.InstallError, match=f"/bin {why}"):
        node.install()
    assert not node.places.network.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a right up to have it refused")
def test_a_directory_that_may_not_be_written_is_named_with_what_to_do(node: Node) -> None:
    node.places.bin_dir.chmod(0o555)
    child = os.fork()
    if child == 0:  # a process that has given up root sees what any user sees
        os.seteuid(65534)
        try:
            pieces.put(pieces.Piece(path=node.places.program, content=b"x", mode=0o755))
        except errors.InstallError as error:
            os._exit(0 if "permission denied" in str(error) else 2)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "is no JSON"),
        ("[]", "has no plugin with"),
        ('{"plugins": [{"type": "bridge", "ipam": {"type": "host-local"}}]}', "has no plugin with"),
        ('{"plugins": {"ipam": {"type": "moorage"}}}', "has no plugin with"),
    ],
)
def test_a_network_that_is_not_moorage_s_is_refused_before_anything_is_written(
    node: Node, text: str, why: str
) -> None:
    node.conflist.write_text(text)
    with pytest.raises(errors.InstallError, match=why):
        node.install()
    assert node.files() == set()


def test_the_kubeconfig_is_one_that_the_plugin_understands(node: Node) -> None:
    node.install()
    cluster = settings.Cluster(
        kubeconfig=str(node.places.kubeconfig),
        **dict.fromkeys(("api_root", "ca_file", "token_file"), ""),
        client_certificate="",
        client_key="",
    )
    access = kubeconfig.access(cluster)
    assert (access.host, access.port, access.token) == ("127.0.0.1", 6443, "t-1")
    assert access.ca_pem == "PEM\n"


def test_the_kubeconfig_follows_the_token(node: Node) -> None:
    node.install()
    account = installation.Account(folder=node.account, server=SERVER)
    assert installation.refresh(node.places, account) is pieces.Outcome.UNCHANGED
    (node.account / "token").write_text("t-2")
    assert installation.refresh(node.places, account) is pieces.Outcome.CONFIGURED
    [user] = yaml.safe_load(node.places.kubeconfig.read_text())["users"]
    assert user["user"]["token"] == "t-2"
    assert _mode(node.places.kubeconfig) == 0o600


def test_a_token_that_is_away_for_a_while_is_told_of_and_followed_again(node: Node) -> None:
    node.install()
    account = installation.Account(folder=node.account, server=SERVER)
    token = node.account / "token"
    steps: Iterator[Callable[[], object]] = iter(
        [token.unlink, lambda: token.write_text("t-3"), lambda: None]
    )
    told: list[str] = []

    def is_over() -> bool:
        step = next(steps, None)
        if step is not None:
            step()
        return step is None

    installation.keep_fresh(
        node.places, account, is_over=is_over, tell=lambda said: told.append(str(said))
    )
    missing, configured = told
    assert "token cannot be read" in missing
    assert configured == f"{node.places.kubeconfig} configured"


def test_the_api_server_is_where_a_pod_is_told_that_it_is() -> None:
    told = {"KUBERNETES_SERVICE_HOST": "10.254.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    assert credentials.server_of_pod(told) == "https://10.254.0.1:443"
    assert credentials.server_of_pod(told | {"KUBERNETES_SERVICE_HOST": "fd00::1"}) == (
        "https://[fd00::1]:443"
    )
    with pytest.raises(errors.InstallError, match="--api-server"):
        credentials.server_of_pod({})


def test_the_command_says_what_it_did_whatever_the_umask(node: Node) -> None:
    with node.command("install", "--conflist", str(node.conflist), umask=0o077) as first:
        said, _ = first.communicate(timeout=60)
    assert said.splitlines() == [
        f"{node.places.program} created",
        f"{node.places.network} created",
    ]
    assert _mode(node.places.program) == 0o755
    with node.command("uninstall") as second:
        said, _ = second.communicate(timeout=60)
    assert f"{node.places.program} removed" in said
    assert node.files() == set()


def test_the_command_explains_a_failure_on_standard_error(node: Node) -> None:
    node.places.bin_dir.rmdir()
    with node.command("install") as failed:
        said, why = failed.communicate(timeout=60)
    assert failed.returncode == 1
    assert said == ""
    assert why.startswith(f"Error: {node.places.bin_dir} does not exist; make it")


def test_a_watch_ends_when_it_is_told_to(node: Node) -> None:
    options = ("--service-account", str(node.account), "--api-server", SERVER, "--watch")
    with node.command("install", *options) as watching:
        assert watching.stdout is not None
        assert watching.stdout.readline() == f"{node.places.kubeconfig} created\n"
        watching.terminate()
        assert watching.wait(timeout=60) in (0, -15)
