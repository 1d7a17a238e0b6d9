"""What the documentation shows of the programs of others: make has it, and kubectl would do it.

Commands of kubectl meet a stand-in, as there is no cluster; tests/e2e_kube has one.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest
import trustme

from guides import shown, stand_in

KUBECTL = shutil.which("kubectl")
OVERLAY = re.compile(r"^```yaml\n(.*?behavior: merge.*?)^```$", re.DOTALL | re.MULTILINE)
# Files that the reader has from elsewhere, by the page on which they are named.
SECRETS = ("service-password", "owner-password", "server-ca.crt", "callers.crt", "database.crt")
# What others try, and where, or what there has to be for it.
ELSEWHERE = {
    ("README.md", "docker compose up"): "an engine; tests/shipping has a schema",
    ("README.md", "docker/ha/compose.yaml"): "an engine; tests/shipping has a schema",
    ("examples/README.md", "held.nft"): "tests/examples",
    ("examples/README.md", "named-checkzone"): "tests/examples",
}


def _others() -> list[tuple[str, str]]:
    return [(str(page.relative_to(shown.ROOT)), text) for page, text in shown.others()]


def _of(program: str) -> list[tuple[str, str]]:
    """The blocks that have it, each with its page."""
    begins = re.compile(rf"^(?:[A-Z_]+=\S+ |.*\| )*{program} ", re.MULTILINE)
    return [(page, text) for page, text in _others() if begins.search(text)]


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """A reader's, with a copy of what is deployed, and a kubectl that has no cluster."""
    if KUBECTL is None:
        pytest.skip("kubectl is not installed here")
    shutil.copytree(shown.ROOT / "deploy", tmp_path / "deploy")
    typed = tmp_path / "bin" / "kubectl"
    typed.parent.mkdir()
    typed.write_text(f'#!/bin/sh\nexec {sys.executable} {stand_in.__file__} {KUBECTL} "$@"\n')
    typed.chmod(0o755)
    return tmp_path


def _type(script: str, folder: pathlib.Path) -> None:
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    typed = subprocess.run(
        ["sh", "-eu", "-c", script],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert typed.returncode == 0, f"{script}\n{typed.stdout}\n{typed.stderr}"


def test_what_the_first_page_deploys_is_there(folder: pathlib.Path) -> None:
    [script] = [text for page, text in _of("kubectl") if page == "README.md"]
    _type(script, folder)


def test_the_guide_to_deploying_can_be_followed(folder: pathlib.Path) -> None:
    page = (shown.ROOT / "docs" / "deploying.md").read_text()
    mine = OVERLAY.search(page)
    assert mine
    (folder / "mine").mkdir()
    (folder / "mine" / "kustomization.yaml").write_text(mine[1])
    for name in SECRETS:
        (folder / name).write_text("of the reader's own")
    for name in ("server", "controller"):
        issued = trustme.CA().issue_cert(name)
        issued.cert_chain_pems[0].write_to_path(folder / f"{name}.crt")
        issued.private_key_pem.write_to_path(folder / f"{name}.key")
    scripts = [text for page, text in _of("kubectl") if page == "docs/deploying.md"]
    assert len(scripts) == 3
    for script in scripts:
        _type(script, folder)


@pytest.mark.parametrize(("page", "script"), _of("make"))
def test_make_has_every_target_that_is_shown(page: str, script: str) -> None:
    targets = re.findall(r"^(?:[A-Z_]+=\S+ )*make (\S+)", script, re.MULTILINE)
    told = subprocess.run(
        ["make", "--dry-run", *targets], cwd=shown.ROOT, capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, (page, told.stderr)
    for path in re.findall(r"\btests/\w+", script):
        assert (shown.ROOT / path).is_dir(), (page, path)


def test_every_block_of_others_is_tried() -> None:
    tried = [*_of("make"), *_of("kubectl")]
    for page, text in _others():
        elsewhere = any(page == at and start in text for at, start in ELSEWHERE)
        assert elsewhere or (page, text) in tried, (page, text)
    for at, start in ELSEWHERE:
        assert any(page == at and start in text for page, text in _others()), (at, start)
