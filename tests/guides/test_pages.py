"""Whoever types what README and the pages of docs show gets along with it.

A shell runs each block as it stands, but for names of elsewhere: of hosts, and of a database. What
kubectl and others would have printed is in a file; commands of ours are the installed programs.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import NamedTuple

import pytest

import moorage
from ctl import calico_dump, holdings
from guides import shown
from harness import calls, ports, postgres, serving

CORPUS = shown.ROOT / "tests" / "fuzz" / "corpus"
UID = "0c9a5a2e-1f2b-4d53-8a86-4a9f3d1f7a10"
# What goes on until somebody ends it: behind the others, and no longer than they.
ENDLESS = re.compile(r"^((?:moorctl watch|moorage-server serve)\b[^#\n]*)", re.MULTILINE)
BEHIND = r"\1 & trap 'kill $!; wait' EXIT; "
# What others try, and where, or what there has to be for it.
ELSEWHERE = {
    ("client/README.md", "moorctl assign"): "tests/client/test_readme.py",
    ("docs/deploying.md", "moorage-server migrate"): "a machine with systemd; tests/shipping",
    ("docs/deploying.md", "moorage-agent install"): "a node of a cluster; tests/install",
}


class Reader(NamedTuple):
    """Who types, and where."""

    folder: pathlib.Path
    server: serving.Serving
    client: moorage.Client
    database: postgres.Database

    def keep(self, name: str, content: str) -> None:
        """Puts a file into the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)

    def print(self, program: str, content: str) -> None:
        """From now on another's program prints this; kubectl, where asked, the cluster's uid."""
        self.keep(f"{program}.out", content)
        told = f'case "$*" in *kube-system*) echo {UID};; *) cat {program}.out;; esac'
        self.keep(f"bin/{program}", f"#!/bin/sh\n{told}\n")
        (self.folder / "bin" / program).chmod(0o755)

    def type(self, script: str) -> None:
        """Fails where a command fails."""
        programs = pathlib.Path(sys.executable).parent
        path = f"{self.folder / 'bin'}:{programs}:{os.environ['PATH']}"
        settings = {"MOORAGE_SERVER": self.server.target, "MOORAGE_TIMEOUT": "60"}
        typed = subprocess.run(
            ["sh", "-eu", "-c", script],
            cwd=self.folder,
            env={**os.environ, **settings, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert typed.returncode == 0, f"{script}\n{typed.stdout}\n{typed.stderr}"


@pytest.fixture
def reader(
    tmp_path: pathlib.Path,
    server: serving.Serving,
    client: moorage.Client,
    database: postgres.Database,
) -> Reader:
    """Nothing was typed so far."""
    return Reader(tmp_path, server, client, database)


class Fitted(NamedTuple):
    """What stands for names of elsewhere; and what is typed before, and to see that it worked."""

    names: Mapping[str, str] = {}
    first: str = ""
    then: str = ""


def shop(reader: Reader) -> Fitted:
    """A pool from which a pod of the shop has an address, and a node whose pods are gone."""
    calls.create_pool(reader.client, "web", "10.0.0.0/24")
    holdings.assign(reader.client, "10.0.0.7", pod="cart-0")
    reader.print("kubectl", "")
    reader.print("crictl", holdings.pod_list({}))
    return Fitted()


def calico(reader: Reader) -> Fitted:
    """A cluster of Calico's."""
    reader.print("kubectl", calico_dump.whole())
    return Fitted()


def whereabouts(reader: Reader) -> Fitted:
    """A cluster with whereabouts."""
    reader.print("kubectl", (CORPUS / "whereabouts" / "yaml").read_text())
    return Fitted()


def host_local(reader: Reader) -> Fitted:
    """A copy of a node's files."""
    reader.keep("worker-1/10-pods.conflist", (CORPUS / "host-local" / "list").read_text())
    reader.keep("worker-1/networks/pods/10.22.0.10", f"{'0f3c' * 16}\r\neth0")
    own = " ./worker-1/10-pods.conflist ./worker-1/networks/pods"
    return Fitted({" /etc/cni/net.d/10-pods.conflist": own})


def go_ipam(reader: Reader) -> Fitted:
    """A go-ipam that answers."""
    reader.print("curl", (CORPUS / "go-ipam" / "answer").read_text())
    return Fitted()


def netbox(reader: Reader) -> Fitted:
    """What NetBox exported."""
    for name in ("prefixes", "addresses"):
        reader.keep(f"{name}.csv", (CORPUS / "netbox" / name).read_text())
    return Fitted()


def exports(reader: Reader) -> Fitted:
    """A VRF, and one server for the old and the new."""
    reader.client.create_vrf("blue")
    return Fitted()


def two_servers(reader: Reader) -> Fitted:
    """The same server under two names."""
    exports(reader)
    return Fitted({"--server old:7711 ": "", "--server new:7711 ": ""})


def manifests(reader: Reader) -> Fitted:
    """A copy of the examples."""
    shutil.copytree(shown.ROOT / "examples", reader.folder / "examples")
    return Fitted()


def production(reader: Reader) -> Fitted:
    """A database of one's own."""
    address = f"127.0.0.1:{ports.free()}"
    served = f"'{reader.database.service_url}'"
    doctor = "moorage-server doctor  --database-url postgresql+psycopg://moorage_service@db/moorage"
    return Fitted(
        {
            # The database of the tests is on no disk, as it says.
            doctor: f"moorage-server doctor --database-url {served} > told || [ $? = 1 ]",
            "postgresql+psycopg://moorage_owner@db/moorage": f"'{reader.database.owner_url}'",
            "postgresql+psycopg://moorage_service@db/moorage": served,
            "moorage-server serve": f"moorage-server serve --listen {address}",
        },
        then=f"moorctl --server {address} get vrfs\ngrep 'WRONG  fsync' told\n",
    )


def embedded(_: Reader) -> Fitted:
    """A PostgreSQL of one's own, beside a server."""
    address = f"127.0.0.1:{ports.free()}"
    served = f"moorage-server serve --embedded ./state --listen {address}\n"
    return Fitted(
        {"/var/lib/moorage": "./state"},
        first=f"{served}moorctl --server {address} get vrfs\n",
        then="test -s moorage.dump\n",
    )


def restored(reader: Reader) -> Fitted:
    """The same, and nobody serves from it."""
    serving = embedded(reader).first
    return Fitted({"/var/lib/moorage": "./state"}, first=f"(\n{serving})\n")


def certificates(reader: Reader) -> Fitted:
    """The same, and this machine for every other."""
    address = f"127.0.0.1:{ports.free()}"
    own = f"--database-url '{reader.database.service_url}' --listen {address}"
    return Fitted(
        {
            "--host ipam.example": "--host 127.0.0.1",
            "--server ipam.example": f"--server {address}",
            "--listen 0.0.0.0:7711": own,
        }
    )


PAGES: Mapping[tuple[str, str], Callable[[Reader], Fitted]] = {
    ("README.md", "moorctl history"): shop,
    ("README.md", "moorctl import calico"): calico,
    ("README.md", "moorage-server migrate"): production,
    ("examples/README.md", "moorctl apply"): manifests,
    ("docs/migrating.md", "moorctl import whereabouts"): whereabouts,
    ("docs/migrating.md", "moorctl import host-local"): host_local,
    ("docs/migrating.md", "moorctl import go-ipam"): go_ipam,
    ("docs/migrating.md", "moorctl import netbox"): netbox,
    ("docs/migrating.md", "moorctl --server old:7711"): two_servers,
    ("docs/operations.md", "moorage-server db dump"): embedded,
    ("docs/operations.md", "moorage-server restore-check"): restored,
    ("docs/operations.md", "moorctl export"): exports,
    ("docs/security.md", "moorctl pki init"): certificates,
}


@pytest.mark.parametrize("where", PAGES, ids=" ".join)
def test_a_block_of_commands_works(where: tuple[str, str], reader: Reader) -> None:
    (script,) = (text for at, text in _blocks() if _is(where, at, text))
    names, first, then = PAGES[where](reader)
    for name, own in names.items():
        assert name in script, name
        script = script.replace(name, own)
    reader.type(ENDLESS.sub(BEHIND, first + script + then))


def test_every_block_of_commands_is_tried() -> None:
    blocks = list(_blocks())
    for page, text in blocks:
        assert any(_is(where, page, text) for where in [*PAGES, *ELSEWHERE]), (page, text)
    for where in [*PAGES, *ELSEWHERE]:
        assert any(_is(where, page, text) for page, text in blocks), where


def _blocks() -> list[tuple[str, str]]:
    """All but those of the guides, which are tried with what they show."""
    named = ((str(page.relative_to(shown.ROOT)), text) for page, text in shown.blocks())
    return [(page, text) for page, text in named if not page.startswith("docs/guides/")]


def _is(where: tuple[str, str], page: str, text: str) -> bool:
    return page == where[0] and where[1] in text
